/**
 * The lab: `import { scenario } from "godwit/lab"`.
 *
 * Scenarios are small stories on small machines; each is run under every schedule, or as many as
 * there is time for, and a failure is told step by step. See docs/lab.md.
 */

export { CheckError } from "./check-error.ts";
export { checkScenario, ScenarioError } from "./check-scenario.ts";
export { pins, reclaims, speculates, truncates, wakesEarly } from "./disturbances.ts";
export { type Exploration, exploreScenario } from "./explore-scenario.ts";
export type { Lab } from "./lab.ts";
export type { LabTask } from "./lab-task.ts";
export { moveFolio, moveFolioOnce, moveFolios, movePage } from "./move-folio.ts";
export { replayScenario } from "./replay-scenario.ts";
export { isScenario, type Mutant, type Scenario, scenario } from "./scenario.ts";
export type { Story } from "./tell/story.ts";
export { PLAIN_STYLE, type StoryStyle, storyText } from "./tell/story-text.ts";
export { type StoryTrace, storyTrace } from "./tell/story-trace.ts";
