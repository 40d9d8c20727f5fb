/**
 * One run of a program under a strategy, from its first step to its end or its failure.
 *
 * A run that is still going after `maxSteps` steps goes on with everybody in turn, for as many
 * steps again: a strategy may starve whom it likes, and only a run that does not end when everyone
 * gets their turn is a livelock.
 */
import { InvariantError } from "../../base/assert.ts";
import { InputError } from "../../base/input-error.ts";
import { assertFinished } from "../run.ts";
import type { ChoicePoints, Plan } from "./choice-points.ts";
import { CLOCK, type Program, type Start } from "./program.ts";
import { ABANDON, hasActor, type Moment, type Strategy } from "./strategy.ts";
import { beginRun, endRun, record, takeFootprint } from "./touch.ts";

/** How a run went. */
export interface RunEnd {
  readonly end: "finished" | "abandoned" | "failed";
  /** What was thrown, if it failed. */
  readonly error: unknown;
  /** Who stepped, in order; the step that failed is the last. */
  readonly actors: readonly number[];
  /** Choices that came out otherwise than by default. */
  readonly plan: Plan;
  /** The run was too long for the strategy, which therefore did not see all of it. */
  readonly tooLong: boolean;
}

/** In place of one that is thrown: everyone had their turn, and it never ended. */
export class LivelockError extends Error {
  override readonly name = "LivelockError";

  constructor(steps: number, waiting: string) {
    super(`livelock: after ${steps} steps, everybody in turn, these go on: ${waiting}`);
  }
}

/** What happens beside the steps; a teller listens. */
export interface RunListener {
  begun(program: Program): void;
  stepped(actor: number, program: Program): void;
  /** What was run so far is to be forgotten: another search begins, that repeats it. */
  restarted?(): void;
}

const NOBODY: RunListener = { begun() {}, stepped() {} };

export function runSchedule(
  start: Start,
  strategy: Strategy,
  choices: ChoicePoints,
  maxSteps: number,
  listener: RunListener = NOBODY,
): RunEnd {
  const run = new ScheduleRun(strategy, choices, maxSteps, listener);
  strategy.begin();
  beginRun();
  let end: RunEnd["end"] = "failed";
  let error: unknown = null;
  try {
    const program = start(choices);
    listener.begun(program);
    end = run.toEnd(program);
  } catch (thrown) {
    // What is wrong with the question is not an answer.
    if (thrown instanceof InputError) throw thrown;
    error = thrown;
  }
  return { end, error, actors: run.actors, plan: choices.taken, tooLong: run.tooLong };
}

class ScheduleRun {
  readonly actors: number[] = [];
  tooLong = false;
  private readonly strategy: Strategy;
  private readonly choices: ChoicePoints;
  private readonly maxSteps: number;
  private readonly listener: RunListener;

  constructor(strategy: Strategy, choices: ChoicePoints, maxSteps: number, listener: RunListener) {
    this.strategy = strategy;
    this.choices = choices;
    this.maxSteps = maxSteps;
    this.listener = listener;
  }

  toEnd(program: Program): "finished" | "abandoned" {
    const { strategy, actors } = this;
    const moment = { depth: 0, enabled: 0, last: -1 };
    if (strategy.touches === "recorded") record();
    let looked = look(program);
    for (;;) {
      moment.enabled = enabledActors(program);
      if (moment.enabled === 0) break;
      if (moment.depth >= this.maxSteps) {
        this.runFairly(program, moment);
        break;
      }
      const actor = strategy.pick(moment);
      if (actor === ABANDON) return "abandoned";
      this.step(program, actor);
      const footprint = takeFootprint();
      const before = looked;
      looked = look(program);
      const visible = footprint.writesWhat(before) || footprint.writesWhat(looked);
      const barrier = actor === CLOCK && !program.interrupts;
      strategy.stepped({ footprint, visible, barrier });
      moment.last = actor;
      moment.depth = actors.length;
    }
    assertFinished(program.tasks.filter((task) => !program.isDaemon(task)));
    this.choices.actor = "end";
    endRun();
    program.finish();
    return "finished";
  }

  private step(program: Program, actor: number): void {
    const { choices, actors } = this;
    if (actor !== actors.at(-1)) choices.turn++;
    actors.push(actor);
    if (actor === CLOCK) {
      choices.actor = "clock";
      program.clock.advance();
    } else {
      const task = program.tasks[actor];
      choices.actor = task.name;
      task.step();
    }
    program.afterStep(actor);
    this.listener.stepped(actor, program);
  }

  private runFairly(program: Program, moment: Moment & { enabled: number }): void {
    this.tooLong = true;
    let actor = 0;
    for (let steps = 0; moment.enabled !== 0; moment.enabled = enabledActors(program)) {
      if (steps++ > this.maxSteps * program.tasks.length) {
        const names = program.tasks.filter(({ state }) => state !== "finished");
        throw new LivelockError(this.actors.length, names.map(({ name }) => name).join(", "));
      }
      do actor = (actor + 1) % (CLOCK + 1);
      while (!hasActor(moment.enabled, actor));
      this.step(program, actor);
    }
  }
}

/** Asks the scenario's questions; what they looked at. */
function look(program: Program): ReturnType<typeof takeFootprint> {
  program.look();
  return takeFootprint();
}

function enabledActors({ tasks, clock, interrupts }: Program): number {
  let enabled = 0;
  for (let at = 0; at < tasks.length; at++) {
    if (tasks[at].state === "runnable") enabled |= 1 << at;
  }
  if (tasks.length > CLOCK) throw new InvariantError(`more than ${CLOCK} tasks`);
  if ((interrupts || enabled === 0) && clock.isDue) enabled |= 1 << CLOCK;
  return enabled;
}
