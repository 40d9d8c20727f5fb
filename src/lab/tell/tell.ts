/**
 * Tells a run: repeats it with a recorder that listens, and makes a story of what that wrote down.
 *
 * Step by step in the order of `runSchedule`. Tell the shrunk form of a failure: its preemptions
 * are then all needed, and the guilty section is one of them.
 */
import { InvariantError } from "../../base/assert.ts";
import { ChoicePoints } from "../../sched/explore/choice-points.ts";
import { CLOCK } from "../../sched/explore/program.ts";
import { LivelockError, type RunEnd, runSchedule } from "../../sched/explore/run-schedule.ts";
import { type Schedule, scheduleText } from "../../sched/explore/schedule-text.ts";
import type { Failure } from "../../sched/explore/search.ts";
import { signature } from "../../sched/explore/shrink.ts";
import { Replay } from "../../sched/explore/strategies/replay.ts";
import { SleptError } from "../../sched/run.ts";
import { WouldSleepError } from "../../sched/wait-queue.ts";
import { CheckError } from "../check-error.ts";
import { ContractError } from "../checkers/contract-error.ts";
import { programOf } from "../lab-program.ts";
import type { Scenario } from "../scenario.ts";
import { LabSession } from "../session.ts";
import { guiltySection, type StillFails } from "./guilty.ts";
import { findLoop } from "./loop.ts";
import { folioKey, foliosThatMatter } from "./matter.ts";
import { type RecordedStep, Recorder } from "./recorder.ts";
import type { FolioState, Replayed, Story, StoryFailure, StoryStep } from "./story.ts";
import { waitsOf } from "./waits.ts";

/** A run, told, and how it ended. */
export interface ToldRun {
  readonly story: Story;
  readonly end: RunEnd;
}

/** Repeats one schedule as far as it fits, and tells what happened, whether it fails or not. */
export function tellRun(scenario: Scenario, schedule: Schedule, maxSteps: number): ToldRun {
  const choices = new ChoicePoints(schedule.plan);
  const recorder = new Recorder(choices);
  const replay = new Replay(schedule.actors);
  const start = programOf(scenario, new LabSession());
  const end = runSchedule(start, replay, choices, maxSteps, recorder);
  const { actors } = end;
  const isInStep = end.end === "failed" && actors.length > recorder.steps.length;
  if (isInStep) recorder.failedIn(actors[actors.length - 1]);
  const stillFails: StillFails = (others) => {
    const again = new ChoicePoints(schedule.plan);
    const { error } = runSchedule(start, new Replay(others), again, maxSteps);
    return error !== null && signature(error) === signature(end.error);
  };
  const story = {
    ...storyOf(recorder, end, isInStep, stillFails),
    scenario: scenario.name,
    replayed: fitOf(replay, schedule, choices, actors.length),
  };
  return { story, end };
}

/**
 * Tells a failure, which is best shrunk before. Of a livelock the same is seen with fewer steps
 * before everybody gets their turn, and told with so many as show it.
 */
export function tellFailure(scenario: Scenario, failure: Failure, maxSteps: number): Story {
  if (failure.error instanceof LivelockError) {
    for (const budget of LIVELOCK_BUDGETS) {
      const actors = failure.actors.slice(0, budget);
      const { story } = tellRun(scenario, { actors, plan: failure.plan }, budget);
      if (story.loop !== null) return { ...story, replay: scheduleText({ ...failure, actors }) };
    }
  }
  return tellRun(scenario, failure, maxSteps).story;
}

/** Steps before everybody gets their turn. */
const LIVELOCK_BUDGETS = [32, 128, 512];

function storyOf(
  recorder: Recorder,
  end: RunEnd,
  isInStep: boolean,
  stillFails: StillFails,
): Omit<Story, "scenario" | "replayed"> {
  const { steps } = recorder;
  const failure = end.end === "failed" ? failureOf(recorder, end, isInStep, stillFails) : null;
  const matter = foliosThatMatter(steps, recorder.places, failure?.rule ?? "");
  const loop = failure?.kind === "livelock" ? findLoop(steps) : null;
  const told = loop === null ? steps : steps.slice(0, loop.first - 1 + loop.length);
  const used = new Set(steps.map(({ actor }) => actor));
  const actors = [...recorder.tasks.keys(), ...(used.has(CLOCK) ? [CLOCK] : [])];
  return {
    verdict: failure === null ? "clean" : "failed",
    replay: scheduleText(end),
    actors: actors.map((actor) => recorder.actor(actor)),
    atStart: statesAtStart(recorder, matter),
    steps: told.map((step, at) => storyStep(recorder, step, at + 1, matter)),
    loop,
    failure,
  };
}

function failureOf(
  recorder: Recorder,
  { error }: RunEnd,
  isInStep: boolean,
  stillFails: StillFails,
): StoryFailure {
  const { steps, tasks } = recorder;
  const message = error instanceof Error ? error.message : String(error);
  const kind = kindOf(error, message);
  const rule = kind === "error" ? String(error) : message;
  const nameOf = (actor: number): string => recorder.actor(actor).name;
  const { section, text } =
    kind === "livelock" ? NO_SECTION : guiltySection(steps, nameOf, stillFails);
  const isStuck = kind === "deadlock" || kind === "livelock";
  return {
    kind,
    rule,
    step: isInStep ? steps.length : null,
    found: isInStep ? "in a step" : foundLate(recorder),
    guilty: section,
    guiltyText: text,
    waits: isStuck ? waitsOf(tasks, steps, (task) => recorder.isDaemon(task)) : [],
  };
}

/** No single stretch makes a run go on for ever. */
const NO_SECTION = { section: null, text: "none, for what comes again and again is the failure" };

function foundLate(recorder: Recorder): StoryFailure["found"] {
  return recorder.hasBegun ? "at the end" : "before the first step";
}

function kindOf(error: unknown, rule: string): StoryFailure["kind"] {
  if (error instanceof CheckError) return "check";
  if (error instanceof LivelockError) return "livelock";
  if (error instanceof ContractError) return "contract";
  if (error instanceof SleptError || error instanceof WouldSleepError) return "contract";
  if (!(error instanceof InvariantError)) return "error";
  return rule.startsWith("deadlock:") ? "deadlock" : "invariant";
}

function statesAtStart(recorder: Recorder, matter: ReadonlySet<string>): FolioState[] {
  return [...matter]
    .map((key) => key.split(":").map(Number))
    .sort(([machineA, a], [machineB, b]) => machineA - machineB || a - b)
    .map(([machine, pfn]) => recorder.views[machine - 1].stateAtFirst(pfn));
}

function storyStep(
  recorder: Recorder,
  step: RecordedStep,
  number: number,
  matter: ReadonlySet<string>,
): StoryStep {
  const { actor, changes, ...others } = step;
  const shown = changes.filter(({ machine, pfn }) => matter.has(folioKey(machine, pfn)));
  return {
    number,
    letter: recorder.actor(actor).letter,
    ...others,
    changes: shown,
    changesLeftOut: changes.length - shown.length,
  };
}

/** `taken` steps were made. */
function fitOf(
  { followed, complete }: Replay,
  { actors, plan }: Schedule,
  choices: ChoicePoints,
  taken: number,
): Replayed {
  const met = new Set(choices.met.map(({ key }) => key));
  const choicesUnmet = [...plan.keys()].filter((key) => !met.has(key));
  const steps = actors.length;
  const part = complete ? `all ${steps} steps` : `${followed} of ${steps} steps`;
  const rest = taken > followed ? ", then went on by itself" : "";
  const unmet = choicesUnmet.map((key) => `; the choice "${key}" never came up`).join("");
  return { followed, steps, choicesUnmet, text: `followed ${part}${rest}${unmet}` };
}
