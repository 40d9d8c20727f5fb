/**
 * One schedule of a scenario again, from the string that a failure printed.
 *
 * Code may have changed since: the run follows the string as far as it fits, then goes on by
 * itself, and the story says so. It is told whether it fails or not.
 */
import { parseSchedule } from "../sched/explore/schedule-text.ts";
import { SEARCH_DEFAULTS } from "../sched/explore/search.ts";
import type { Scenario } from "./scenario.ts";
import type { Story } from "./tell/story.ts";
import { tellRun } from "./tell/tell.ts";

/** Throws an `InputError` for what is no schedule at all. */
export function replayScenario(
  scenario: Scenario,
  schedule: string,
  maxSteps: number = SEARCH_DEFAULTS.maxSteps,
): Story {
  return tellRun(scenario, parseSchedule(schedule), maxSteps).story;
}
