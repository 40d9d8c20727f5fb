/**
 * One scenario explored: the search, what it saw, and its failure in its simplest form.
 *
 * A search that looked at everything and never reached a state that the scenario says must be
 * reached has failed as well: it would be green whatever the engine did.
 */
import {
  type Failure,
  SEARCH_DEFAULTS,
  type SearchOptions,
  type SearchResult,
  search,
} from "../sched/explore/search.ts";
import { SHRINK_DEFAULTS, shrink } from "../sched/explore/shrink.ts";
import type { Coverage } from "./coverage.ts";
import { programOf } from "./lab-program.ts";
import type { Scenario } from "./scenario.ts";
import { LabSession } from "./session.ts";
import type { Story } from "./tell/story.ts";
import { tellFailure } from "./tell/tell.ts";

/** What came of it, as data. */
export interface Exploration {
  readonly name: string;
  readonly verdict: "clean" | "failed";
  readonly schedules: number;
  readonly seconds: number;
  /** What the search was, in words. */
  readonly claim: string;
  /** Whether nothing was left out. */
  readonly complete: boolean;
  readonly coverage: CoverageCounts;
  readonly failure: FoundFailure | null;
  /** How the tasks left the machines, each as a short text; null unless it was asked for. */
  readonly finalStates: readonly string[] | null;
}

export interface CoverageCounts {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly states: Readonly<Record<string, number>>;
  readonly points: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface FoundFailure {
  /** The rule that was broken, as the error says it. */
  readonly message: string;
  readonly error: unknown;
  /** What `--replay` takes; "" when the search failed as a whole. */
  readonly replay: string;
  /** The run, and the same told; null when the search failed as a whole. */
  readonly run: Failure | null;
  readonly story: Story | null;
}

export function exploreScenario(
  scenario: Scenario,
  options: Partial<SearchOptions> = {},
  finalStates: Set<string> | null = null,
): Exploration {
  const began = performance.now();
  const session = new LabSession(finalStates);
  const { coverage } = session;
  const listener = { begun() {}, stepped() {}, restarted: () => coverage.restart() };
  const wanted = { ...SEARCH_DEFAULTS, ...options };
  const result = search(programOf(scenario, session), wanted, listener);
  const failure = findFailure(scenario, coverage, result, wanted.maxSteps);
  if (failure === null) session.check();
  return {
    name: scenario.name,
    verdict: failure === null ? "clean" : "failed",
    schedules: result.schedules,
    seconds: (performance.now() - began) / 1000,
    claim: result.claim,
    complete: result.complete,
    coverage: countsOf(coverage),
    failure,
    finalStates: finalStates === null ? null : [...finalStates].sort(),
  };
}

function findFailure(
  scenario: Scenario,
  coverage: Coverage,
  { failure, complete }: SearchResult,
  maxSteps: number,
): FoundFailure | null {
  if (failure !== null) {
    const run = shrink(programOf(scenario, new LabSession()), failure, {
      ...SHRINK_DEFAULTS,
      maxSteps,
    });
    const { error } = run;
    const message = error instanceof Error ? error.message : String(error);
    const story = tellFailure(scenario, run, maxSteps);
    return { message, error, replay: story.replay, run, story };
  }
  const { unreached } = coverage;
  if (!complete || unreached.length === 0) return null;
  const message = `no schedule reached: ${unreached.join("; ")}`;
  return { message, error: null, replay: "", run: null, story: null };
}

function countsOf({ outcomes, states, points }: Coverage): CoverageCounts {
  return {
    outcomes: Object.fromEntries(outcomes),
    states: Object.fromEntries(states),
    points: Object.fromEntries(
      [...points].map(([task, counts]) => [task, Object.fromEntries(counts)]),
    ),
  };
}
