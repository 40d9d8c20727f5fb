/**
 * What is explored: one run of a few tasks, begun anew for each schedule.
 *
 * An actor is whoever may take the next step: a task, by its place among the tasks, or `CLOCK`,
 * whose step lets the next due event happen. Everything in a run must follow from who steps and
 * from the answers of `ChoicePoints`: the search counts on the same prefix giving the same state.
 */
import type { Clock } from "../clock.ts";
import type { Task } from "../task.ts";
import type { ChoicePoints } from "./choice-points.ts";

/** Sets of actors are bits of a 32-bit number, and stay positive. */
export const CLOCK = 30;

export interface Program {
  /** More may join during the run, at the end; never more than `CLOCK`. */
  readonly tasks: readonly Task[];
  readonly clock: Clock;
  /** Whether what is due may happen while tasks can run, as interrupts do, or when all sleep. */
  readonly interrupts: boolean;
  /** Whether the run may end while this task sleeps. */
  isDaemon(task: Task): boolean;
  /** Called after each step of `actor`. Throws where a rule is broken. */
  afterStep(actor: number): void;
  /** Asks questions that must see every state which differs for them, and changes nothing. */
  look(): void;
  /** Called when all have finished. Throws where what must hold at the end does not. */
  finish(): void;
}

/** Begins a run in a fresh world. What it does before the tasks run is not part of the schedule. */
export type Start = (choices: ChoicePoints) => Program;
