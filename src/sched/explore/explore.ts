/**
 * Tries every schedule of a few tasks, or replays one.
 *
 * A schedule is the list of choices of which runnable task goes next; between two suspensions a
 * task has the machine to itself. Knows tasks and nothing of what they do. Virtual time moves on
 * only when every task is asleep, so that an event is never one of the choices.
 */
import { InputError } from "../../base/input-error.ts";
import { Clock } from "../clock.ts";
import { assertFinished } from "../run.ts";
import type { Task } from "../task.ts";
import { Choices } from "./choices.ts";

/** One run of a scenario: its tasks, and what must hold once all have finished. */
export interface Run {
  readonly tasks: readonly Task[];
  readonly clock?: Clock;
  readonly check?: () => void;
}

/** A schedule broke the scenario. The message holds the string that replays it. */
export class ScheduleError extends Error {
  override readonly name = "ScheduleError";
  readonly schedule: string;

  constructor(schedule: string, cause: unknown) {
    super(`schedule "${schedule}" failed: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
    this.schedule = schedule;
  }
}

/** Runs `scenario` under every schedule, from a fresh world each; returns how many there were. */
export function exploreSchedules(scenario: () => Run): number {
  const choices = new Choices();
  let schedules = 0;
  do {
    runSchedule(scenario, choices);
    schedules++;
  } while (choices.advance());
  return schedules;
}

/**
 * Runs the one schedule that a `ScheduleError` named. Throws `InputError` for a string that is no
 * schedule of this scenario.
 */
export function replaySchedule(scenario: () => Run, schedule: string): void {
  const choices = new Choices(schedule);
  runSchedule(scenario, choices);
  choices.assertSpent();
}

function runSchedule(scenario: () => Run, choices: Choices): void {
  try {
    const { tasks, clock = new Clock(), check } = scenario();
    for (;;) {
      const runnable = tasks.filter((task) => task.state === "runnable");
      if (runnable.length > 0) {
        const choice = runnable.length === 1 ? 0 : choices.choose(runnable.length);
        runnable[choice].step();
      } else if (!clock.advance()) {
        break;
      }
    }
    assertFinished(tasks);
    check?.();
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new ScheduleError(choices.toString(), cause);
  }
}
