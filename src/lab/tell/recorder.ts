/**
 * Listens to one run and writes down each step: who, from where, to where, and what changed.
 *
 * A run that fails in a step does not tell its listener of that step; `failedIn` looks at what the
 * step left behind.
 */
import type { ChoicePoints } from "../../sched/explore/choice-points.ts";
import { CLOCK, type Program } from "../../sched/explore/program.ts";
import type { RunListener } from "../../sched/explore/run-schedule.ts";
import { actorLetter } from "../../sched/explore/schedule-text.ts";
import type { Task, TaskState } from "../../sched/task.ts";
import { LabProgram } from "../lab-program.ts";
import { MachineView } from "./machine-view.ts";
import type { FolioChange, StoryActor } from "./story.ts";

/** As a `StoryStep`, before it is known what matters. */
export interface RecordedStep {
  readonly actor: number;
  readonly from: string;
  readonly to: string;
  readonly interrupted: StoryActor | null;
  readonly woke: readonly string[];
  readonly choices: readonly string[];
  readonly changes: readonly FolioChange[];
}

/** A task as it was after the last step. */
interface Standing {
  readonly state: TaskState;
  readonly at: string;
}

export class Recorder implements RunListener {
  readonly steps: RecordedStep[] = [];
  readonly views: MachineView[] = [];
  /** Places of each folio, by `machine:pfn`, in the order in which it had them. */
  readonly places: Map<string, Set<string>> = new Map();
  private readonly choices: ChoicePoints;
  private program: LabProgram | null = null;
  private standing: Standing[] = [];
  private last = -1;
  private chosen = 0;

  constructor(choices: ChoicePoints) {
    this.choices = choices;
  }

  get tasks(): readonly Task[] {
    return this.program?.tasks ?? [];
  }

  /** Whether the tasks could begin: the scene was set without a failure. */
  get hasBegun(): boolean {
    return this.program !== null;
  }

  isDaemon(task: Task): boolean {
    return this.program?.isDaemon(task) ?? false;
  }

  begun(program: Program): void {
    if (!(program instanceof LabProgram)) return;
    this.program = program;
    this.chosen = this.choices.taken.size;
    this.standing = program.tasks.map((task) => standingOf(task, undefined));
    this.lookAtNewMachines();
    for (const view of this.views) {
      for (let pfn = 0; pfn < view.machine.mem.pageCount; pfn++) this.notePlace(view, pfn);
    }
  }

  stepped(actor: number, _program: Program): void {
    this.note(actor);
  }

  /** The step that failed, of which nobody was told. */
  failedIn(actor: number): void {
    if (this.program === null) return;
    this.note(actor);
    const step = this.steps.at(-1);
    // What is thrown inside a task leaves it where it stood.
    const isThrown = step !== undefined && actor !== CLOCK && step.to === step.from;
    if (isThrown) this.steps[this.steps.length - 1] = { ...step, to: "fails" };
  }

  actor(actor: number): StoryActor {
    const name = actor === CLOCK ? "the clock" : (this.tasks[actor]?.name ?? "?");
    return { letter: actorLetter(actor), name };
  }

  private note(actor: number): void {
    const { standing, tasks } = this;
    const before = standing;
    this.standing = tasks.map((task, at) => standingOf(task, before[at]));
    const woke = tasks.filter((_task, at) => {
      const was = before[at]?.state;
      return at !== actor && was === "asleep" && tasks[at].state === "runnable";
    });
    this.steps.push({
      actor,
      from: actor === CLOCK ? "" : (before[actor]?.at ?? THE_START),
      to: actor === CLOCK ? this.time() : this.standing[actor].at,
      interrupted: this.interrupted(actor, before),
      woke: woke.map(({ name }) => name),
      choices: this.newChoices(),
      changes: this.look(),
    });
    this.last = actor;
  }

  private time(): string {
    return `${this.program?.clock.now ?? 0} ns`;
  }

  private interrupted(actor: number, before: readonly Standing[]): StoryActor | null {
    const { last } = this;
    if (last < 0 || last === actor || last === CLOCK) return null;
    return before[last].state === "runnable" ? this.actor(last) : null;
  }

  private newChoices(): string[] {
    const taken = [...this.choices.taken].slice(this.chosen);
    this.chosen += taken.length;
    return taken.map(([key, value]) => (value === 1 ? key : `${key}=${value}`));
  }

  private look(): FolioChange[] {
    const changes = this.views.flatMap((view) => view.look());
    for (const { machine, pfn } of changes) this.notePlace(this.views[machine - 1], pfn);
    this.lookAtNewMachines();
    return changes;
  }

  private notePlace(view: MachineView, pfn: number): void {
    const place = view.place(pfn);
    if (place === "") return;
    const key = `${view.number}:${pfn}`;
    const places = this.places.get(key) ?? new Set();
    this.places.set(key, places.add(place));
  }

  private lookAtNewMachines(): void {
    const machines = this.program?.lab.machines ?? [];
    for (let at = this.views.length; at < machines.length; at++) {
      this.views.push(new MachineView(machines[at], at + 1));
    }
  }
}

const THE_START = "the start";

/** Who was woken and has not stepped since stands where it slept. */
function standingOf(task: Task, before: Standing | undefined): Standing {
  const { state, point, queue } = task;
  if (state === "finished") return { state, at: "the end" };
  if (state === "asleep") return { state, at: `asleep on ${queue?.name ?? "nothing"}` };
  return { state, at: point === "" ? (before?.at ?? THE_START) : point };
}
