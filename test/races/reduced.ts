/**
 * A race under one schedule of each kind: those that differ in more than the order of steps that
 * touch nothing in common. Only a tracked build knows what steps touch (`host/lab-build/`).
 */
import { Clock } from "../../src/sched/clock.ts";
import type { Program } from "../../src/sched/explore/program.ts";
import { SEARCH_DEFAULTS, search } from "../../src/sched/explore/search.ts";
import type { Explored, Race, RaceRun } from "./race.ts";

export { allRaces } from "./all.ts";

/** What may come of it, by as few schedules as show it. Throws at the first that fails. */
export function exploreReduced(race: Race): Explored {
  const outcomes = new Set<string>();
  const { schedules, failure, complete } = search(() => programOf(race.start(), outcomes), {
    ...SEARCH_DEFAULTS,
    strategy: "reduced",
    maxSeconds: Number.POSITIVE_INFINITY,
  });
  if (failure !== null) throw failure.error;
  if (!complete) throw new Error("the search was not finished");
  return { schedules, outcomes: [...outcomes].sort() };
}

function programOf(run: RaceRun, outcomes: Set<string>): Program {
  const { tasks, clock = new Clock() } = run;
  return {
    tasks,
    clock,
    interrupts: false,
    isDaemon: () => false,
    afterStep: () => {},
    look: () => {},
    finish() {
      run.check?.();
      outcomes.add(run.outcome());
    },
  };
}
