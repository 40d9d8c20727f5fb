/**
 * Races: a few tasks on a fresh small machine, tried under every schedule.
 *
 * A race says all that may come of it, so that a schedule that is no longer reached shows as well
 * as a wrong one. Its mutants are mistakes that no task makes alone and that some schedule shows.
 */
import {
  exploreSchedules,
  type Run,
  replaySchedule,
  type ScheduleError,
} from "../../src/sched/explore/explore.ts";
import { permutations } from "../../src/sched/explore/strategies/in-order.ts";
import type { Task } from "../../src/sched/task.ts";

/** One text of the engine, replaced. */
export interface Mutant {
  /** The mistake, as a sentence. */
  readonly what: string;
  /** From the root of the project. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly text: string;
  readonly replacement: string;
  /** What the failing schedule says. */
  readonly says: RegExp;
}

/** One run of a race, and what came of it once every task has finished. */
export interface RaceRun extends Run {
  readonly outcome: () => string;
}

export interface Race {
  /** What holds under every schedule, as a sentence. */
  readonly name: string;
  readonly start: () => RaceRun;
  /** There are at least so many. */
  readonly schedules: number;
  /** Everything that may come of it, sorted. */
  readonly outcomes: readonly string[];
  readonly mutants: readonly Mutant[];
}

export interface Explored {
  readonly schedules: number;
  readonly outcomes: readonly string[];
}

/** Tries every schedule. Throws `ScheduleError` at the first that fails. */
export function exploreRace(race: Race): Explored {
  const outcomes = new Set<string>();
  const schedules = exploreSchedules(() => {
    const run = race.start();
    return {
      ...run,
      check() {
        run.check?.();
        outcomes.add(run.outcome());
      },
    };
  });
  return { schedules, outcomes: [...outcomes].sort() };
}

/** The schedule that fails, or null. */
export function findFailure(race: Race): ScheduleError | null {
  try {
    exploreRace(race);
    return null;
  } catch (error) {
    return error as ScheduleError;
  }
}

export function replayRace(race: Race, schedule: string): void {
  replaySchedule(race.start, schedule);
}

/** Runs the tasks one after another, each to its end or its sleep, in every order of the tasks. */
export function runInEveryOrder(race: Race): void {
  const { length } = race.start().tasks;
  for (const order of permutations(Array.from({ length }, (_, at) => at))) {
    const inOrder = (): Run => {
      const run = race.start();
      return { ...run, tasks: order.map((at): Task => run.tasks[at]) };
    };
    // Without a choice the first that can run goes on.
    replaySchedule(inOrder, "");
  }
}
