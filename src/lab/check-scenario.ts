/**
 * A scenario as a test: for node:test, vitest or any runner that takes a thrown error.
 *
 *     test(story.name, () => checkScenario(story));
 *
 * With fast-check, parameters make scenarios: `fc.property(fc.nat(), (n) => checkScenario(of(n)))`.
 * What a test runner loads is not tracked, so that this search goes by preemptions; only
 * `godwit explore` builds scenarios so that schedules which differ in nothing can be left out.
 */
import type { SearchOptions } from "../sched/explore/search.ts";
import { type Exploration, exploreScenario } from "./explore-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { storyText } from "./tell/story-text.ts";

/** A scenario failed. The message is the whole story, with the string that replays it. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
  readonly exploration: Exploration;

  constructor(exploration: Exploration) {
    const { name, failure } = exploration;
    const story = failure?.story ?? null;
    super(story === null ? `${name}: ${failure?.message}` : storyText(story));
    this.exploration = exploration;
  }
}

/**
 * Explores, and throws a `ScenarioError` unless the scenario is clean. The exploration says in
 * `claim` what was searched: a search that its budget ended early is clean as far as it came.
 */
export function checkScenario(
  scenario: Scenario,
  options: Partial<SearchOptions> = {},
): Exploration {
  const exploration = exploreScenario(scenario, options);
  if (exploration.verdict === "failed") throw new ScenarioError(exploration);
  return exploration;
}
