/** Who never came to an end: what each waits for, who has that, and what each has. */
import { CLOCK } from "../../sched/explore/program.ts";
import type { Task } from "../../sched/task.ts";
import type { RecordedStep } from "./recorder.ts";
import type { StoryWait } from "./story.ts";

/** Folio locks by who set the flag; of other locks nobody can be named. */
export function waitsOf(
  tasks: readonly Task[],
  steps: readonly RecordedStep[],
  isDaemon: (task: Task) => boolean,
): StoryWait[] {
  const takenBy = folioLocks(steps);
  const waits: StoryWait[] = [];
  for (const [actor, task] of tasks.entries()) {
    if (task.state === "finished" || isDaemon(task)) continue;
    const asleep = task.state === "asleep";
    const at = asleep ? (task.queue?.name ?? "nothing") : task.point;
    const holds = [...takenBy].filter(([, by]) => by === actor).map(([folio]) => folio);
    const holder = asleep ? holderOf(at, takenBy, tasks) : null;
    waits.push({ task: task.name, at, asleep, holder, holds });
  }
  return waits;
}

/** By "folio 5": who took its lock and has not given it up. */
function folioLocks(steps: readonly RecordedStep[]): Map<string, number> {
  const takenBy = new Map<string, number>();
  for (const { actor, changes } of steps) {
    for (const { pfn, fields } of changes) {
      if (fields.some(({ what, to }) => what === "state" && to === "free")) {
        takenBy.delete(`folio ${pfn}`);
      }
      const flags = fields.find(({ what }) => what === "flags");
      if (flags === undefined) continue;
      const [had, has] = [flags.from, flags.to].map((names) => names.split(" ").includes("locked"));
      if (has && !had) takenBy.set(`folio ${pfn}`, actor);
      if (had && !has) takenBy.delete(`folio ${pfn}`);
    }
  }
  return takenBy;
}

function holderOf(
  queue: string,
  takenBy: ReadonlyMap<string, number>,
  tasks: readonly Task[],
): string | null {
  const actor = takenBy.get(queue);
  if (actor === undefined) return null;
  return actor === CLOCK ? "an interrupt" : tasks[actor].name;
}
