/**
 * What a worker does with a module of scenarios: explore all of them, or those that are wanted.
 *
 * Job and answer are plain data, so that they can cross threads: results are the same for one
 * worker and for many, because a scenario is never split.
 */
import { InputError } from "../base/input-error.ts";
import type { SearchOptions } from "../sched/explore/search.ts";
import { type Exploration, exploreScenario } from "./explore-scenario.ts";
import { replayScenario } from "./replay-scenario.ts";
import { isScenario, type Scenario } from "./scenario.ts";
import type { Story } from "./tell/story.ts";

interface WantedScenarios {
  /** Where the scenarios come from, for messages. */
  readonly file: string;
  /** Only scenarios whose name has this in it. */
  readonly only: string | null;
}

export interface ReplayJob extends WantedScenarios {
  /** As a failure prints it. */
  readonly schedule: string;
}

export interface Job extends WantedScenarios {
  /** Each scenario is searched in each of these ways. */
  readonly searches: readonly Partial<SearchOptions>[];
  /** Whether it is wanted how runs ended. */
  readonly finalStates?: boolean;
}

/**
 * Explores the scenarios that a module exports, in the order of their declaration. Returns, for
 * each of the searches, what came of each scenario.
 */
export function runJob(module: Readonly<Record<string, unknown>>, job: Job): Exploration[][] {
  const { searches, finalStates = false } = job;
  const scenarios = wantedOf(module, job);
  return searches.map((options) =>
    scenarios.map((each) => exploreScenario(each, options, finalStates ? new Set() : null)),
  );
}

/** Tells one schedule of the one scenario that is wanted. */
export function replayJob(module: Readonly<Record<string, unknown>>, job: ReplayJob): Story {
  const wanted = wantedOf(module, job);
  if (wanted.length === 1) return replayScenario(wanted[0], job.schedule);
  const names = wanted.map(({ name }) => `"${name}"`).join(", ");
  throw new InputError(job.file, `${wanted.length} scenarios: ${names}`, "one, by --only TEXT");
}

function wantedOf(module: Readonly<Record<string, unknown>>, job: WantedScenarios): Scenario[] {
  const { only } = job;
  return scenariosOf(module, job).filter(({ name }) => only === null || name.includes(only));
}

/** Throws `InputError` for a module without scenarios, or with two of one name. */
function scenariosOf(
  module: Readonly<Record<string, unknown>>,
  { file }: WantedScenarios,
): Scenario[] {
  const scenarios = [...new Set(Object.values(module).flat())].filter(isScenario);
  const expected = 'a default export: scenario("what holds", function* (lab) { … })';
  if (scenarios.length === 0) throw new InputError(file, "no scenario", expected);
  const names = new Set<string>();
  for (const { name } of scenarios) {
    if (names.has(name))
      throw new InputError(file, `two scenarios "${name}"`, "names of their own");
    names.add(name);
  }
  return scenarios;
}
