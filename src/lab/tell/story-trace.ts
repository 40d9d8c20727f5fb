/**
 * A story in the trace event format that ui.perfetto.dev and chrome://tracing read: a track a
 * task, a slice a step, an instant where it failed, a counter for the references of each folio.
 *
 * A step has no length; each is drawn as one millisecond, so that step n begins at n ms.
 */
import type { Story, StoryStep } from "./story.ts";
import { changeText } from "./story-text.ts";

/** One event; `ts` and `dur` are microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "M" | "i" | "C";
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** Of an instant: the whole trace. */
  readonly s?: "g";
  readonly cat?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface StoryTrace {
  readonly displayTimeUnit: "ms";
  readonly otherData: Readonly<Record<string, string>>;
  readonly traceEvents: readonly TraceEvent[];
}

const STEP_MICROSECONDS = 1000;
const PID = 1;

export function storyTrace(story: Story): StoryTrace {
  const { scenario, replay, failure, steps, actors } = story;
  const tidOf = new Map(actors.map(({ letter }, at) => [letter, at + 1]));
  const events: TraceEvent[] = [nameEvent("process_name", 0, scenario)];
  for (const { letter, name } of actors) {
    events.push(nameEvent("thread_name", tidOf.get(letter) ?? 0, `${letter} ${name}`));
  }
  for (const step of steps) {
    events.push(sliceOf(step, tidOf.get(step.letter) ?? 0));
    events.push(...countersOf(step));
  }
  if (failure !== null) {
    const at = failure.step ?? steps.length + 1;
    const tid = tidOf.get(steps[at - 1]?.letter ?? "") ?? 0;
    const { rule, kind, guiltyText } = failure;
    const args = { rule, guilty: guiltyText, replay };
    const ts = at * STEP_MICROSECONDS + (failure.step === null ? 0 : STEP_MICROSECONDS);
    events.push({ name: kind, cat: "failure", ph: "i", s: "g", pid: PID, tid, ts, args });
  }
  const otherData = { scenario, replay, verdict: story.verdict };
  return { displayTimeUnit: "ms", otherData, traceEvents: events };
}

function nameEvent(name: string, tid: number, value: string): TraceEvent {
  return { name, ph: "M", pid: PID, tid, ts: 0, args: { name: value } };
}

function sliceOf({ number, from, to, ...step }: StoryStep, tid: number): TraceEvent {
  const { changes, woke, choices, interrupted } = step;
  return {
    name: to,
    cat: "step",
    ph: "X",
    pid: PID,
    tid,
    ts: number * STEP_MICROSECONDS,
    dur: STEP_MICROSECONDS,
    args: {
      step: number,
      from,
      changes: changes.map((change) => changeText(change, change.machine > 1)),
      ...(woke.length > 0 ? { woke } : {}),
      ...(choices.length > 0 ? { choices } : {}),
      ...(interrupted === null ? {} : { interrupted: interrupted.name }),
    },
  };
}

function countersOf({ number, changes }: StoryStep): TraceEvent[] {
  const events: TraceEvent[] = [];
  const ts = (number + 1) * STEP_MICROSECONDS;
  for (const { machine, pfn, fields } of changes) {
    const name = `refcount of folio ${pfn}${machine > 1 ? ` of machine ${machine}` : ""}`;
    for (const { what, to } of fields) {
      const isFreed = what === "state" && to === "free";
      if (what !== "refcount" && !isFreed) continue;
      const refcount = isFreed ? 0 : Number(to);
      events.push({ name, ph: "C", pid: PID, tid: 0, ts, args: { refcount } });
    }
  }
  return events;
}
