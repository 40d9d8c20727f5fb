/**
 * The guilty section: the stretch of one task in which others came in, such that the rule broke.
 *
 * In a schedule with as few preemptions as can be, each of them is needed; the last one before the
 * failure is looked at. What the others did then is tried at the task's points before and after as
 * well: the section goes from the first to the last at which it breaks the same rule. Without a
 * preemption the last sleep in which others ran is named. Where all tasks ran one after the other
 * no section can be named, and the sentence says so.
 */
import { CLOCK } from "../../sched/explore/program.ts";
import type { RecordedStep } from "./recorder.ts";
import type { GuiltySection, Passage } from "./story.ts";

interface Named {
  readonly section: GuiltySection | null;
  readonly text: string;
}

/** Whether a run of these actors fails in the same way. */
export type StillFails = (actors: readonly number[]) => boolean;

export function guiltySection(
  steps: readonly RecordedStep[],
  nameOf: (actor: number) => string,
  stillFails: StillFails,
): Named {
  const section = interruptedSection(steps, nameOf, stillFails) ?? asleepSection(steps, nameOf);
  if (section !== null) return { section, text: sectionText(section) };
  const names = [...new Set(steps.map(({ actor }) => nameOf(actor)))];
  if (names.length === 0) return { section, text: "none, as nobody had made a step" };
  const why =
    names.length === 1
      ? `${names[0]} breaks the rule alone`
      : `nobody was interrupted, and this order is enough: ${names.join(", then ")}`;
  return { section, text: `none can be named: ${why}` };
}

function interruptedSection(
  steps: readonly RecordedStep[],
  nameOf: (actor: number) => string,
  stillFails: StillFails,
): GuiltySection | null {
  for (let at = steps.length - 1; at > 0; at--) {
    if (steps[at].interrupted === null) continue;
    const { actor, to } = steps[at - 1];
    const found = section(steps, at, actor, "interrupted", to, nameOf);
    const { first, last } = widened(steps, at, stillFails);
    return {
      ...found,
      from: steps[first - 1].to,
      to: last < steps.length ? steps[last].to : null,
    };
  }
  return null;
}

/**
 * Where the others may come in as well, instead of before step `at`: at the earliest before the
 * step `first`, at the latest before what is now the step `last`. The task must have stepped once.
 */
function widened(
  steps: readonly RecordedStep[],
  at: number,
  stillFails: StillFails,
): { first: number; last: number } {
  const actors = steps.map(({ actor }) => actor);
  const task = actors[at - 1];
  const end = endOfOthers(actors, at, task);
  const others = actors.slice(at, end);
  let first = at;
  while (first > 1 && actors[first - 2] === task) {
    const earlier = [...actors.slice(0, first - 1), ...others, ...actors.slice(first - 1, at)];
    if (!stillFails([...earlier, ...actors.slice(end)])) break;
    first--;
  }
  let last = end;
  while (last + 1 < actors.length && actors[last] === task && actors[last + 1] === task) {
    const later = [...actors.slice(0, at), ...actors.slice(end, last + 1), ...others];
    if (!stillFails([...later, ...actors.slice(last + 1)])) break;
    last++;
  }
  return { first, last };
}

function endOfOthers(actors: readonly number[], at: number, task: number): number {
  const end = actors.indexOf(task, at);
  return end < 0 ? actors.length : end;
}

/** The last sleep during which others stepped and from which the sleeper went on, or never did. */
function asleepSection(
  steps: readonly RecordedStep[],
  nameOf: (actor: number) => string,
): GuiltySection | null {
  for (let at = steps.length - 1; at > 0; at--) {
    const { actor, to } = steps[at - 1];
    const isSleep = to.startsWith("asleep on ") && steps[at].actor !== actor;
    if (isSleep) return section(steps, at, actor, "asleep", to, nameOf);
  }
  return null;
}

/** From step `at` on, others ran in the place of `actor`. */
function section(
  steps: readonly RecordedStep[],
  at: number,
  actor: number,
  how: GuiltySection["how"],
  stood: string,
  nameOf: (actor: number) => string,
): GuiltySection {
  const end = endOfOthers(
    steps.map((step) => step.actor),
    at,
    actor,
  );
  const meanwhile = new Map<number, Passage>();
  for (const step of steps.slice(at, end)) {
    const before = meanwhile.get(step.actor)?.from ?? step.from;
    meanwhile.set(step.actor, { task: nameOf(step.actor), from: before, to: step.to });
  }
  return {
    task: nameOf(actor),
    how,
    stood,
    from: stood,
    to: end < steps.length ? steps[end].to : null,
    meanwhile: [...meanwhile].map(([other, passage]) =>
      other === CLOCK ? { ...passage, from: "", to: "" } : passage,
    ),
  };
}

function sectionText({ task, how, stood, from, to, meanwhile }: GuiltySection): string {
  const others = meanwhile.map(passageText).join(" and ");
  if (how === "asleep") return `${task} was ${stood} while ${others}`;
  if (to === null) return `${task} stood at ${stood} while ${others}`;
  const here = stood === from ? "" : ` (here at ${stood})`;
  return `${task} stood between ${from} and ${to}${here} while ${others}`;
}

function passageText({ task, from, to }: Passage): string {
  if (from === "" && to === "") return "an interrupt came";
  return from === to ? `${task} ran to ${to}` : `${task} went from ${from} to ${to}`;
}
