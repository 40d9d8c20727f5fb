/**
 * `godwit explore PATH`: scenarios under every schedule, as the engine is and with each mistake.
 *
 * Status 0: every mistake was found, and without it every scenario is clean; 1 otherwise.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { InputError } from "../base/input-error.ts";
import { type ExploreOptions, exploreFolder } from "../host/lab/explore-folder.ts";
import { findScenarios, type ScenarioFile } from "../host/lab/find-scenarios.ts";
import { measureReduction } from "../host/lab/measure-reduction.ts";
import { replayFile } from "../host/lab/replay-file.ts";
import { type ExploredScenario, isGood } from "../lab/explored.ts";
import { agreement } from "../lab/reduction.ts";
import { storyText } from "../lab/tell/story-text.ts";
import { storyTrace } from "../lab/tell/story-trace.ts";
import { exploreJson, exploreText, storyStyle } from "../report/explore-text.ts";
import { reductionJson, reductionText } from "../report/reduction-text.ts";
import { type SearchOptions, STRATEGY_NAMES, type StrategyName } from "../sched/explore/search.ts";
import type { Command } from "./command.ts";
import type { Io } from "./io.ts";
import type { Options } from "./options.ts";
import { Progress } from "./progress.ts";

const SCREEN_WIDTH = 110;
const DEFAULT_SECONDS = 20;
/** For --reduction: schedules that are tried without it. */
const REDUCTION_SCHEDULES = 20_000;

export const explore: Command = {
  usage: {
    command: "explore",
    summary: "Runs scenarios under every schedule, and finds the mistakes beside them",
    positionals: "PATH",
    maxPositionals: 1,
    flags: {
      only: { type: "string", value: "TEXT", help: "only scenarios with TEXT in their name" },
      strategy: {
        type: "string",
        value: "NAME",
        choices: STRATEGY_NAMES,
        help: `how to search: ${STRATEGY_NAMES.join(", ")} (default: auto)`,
      },
      preemptions: { type: "string", value: "N", help: "for preemptions: in one run (default: 2)" },
      depth: {
        type: "string",
        value: "N",
        help: "for pct: steps that must be in order (default: 3)",
      },
      faults: { type: "string", value: "N", help: "faults in one run (default: 1)" },
      seed: { type: "string", value: "N", help: "for pct and random (default: 1)" },
      schedules: { type: "string", value: "N", help: "give up a search after N schedules" },
      seconds: {
        type: "string",
        value: "N",
        help: `give up a search after N (default: ${DEFAULT_SECONDS})`,
      },
      workers: { type: "string", value: "N", help: "threads (default: one a processor)" },
      replay: { type: "string", value: "STRING", help: "one schedule again, as far as it fits" },
      mutant: {
        type: "string",
        value: "TEXT",
        help: "for replay: with the mistake that TEXT names",
      },
      tell: { type: "boolean", help: "tell the failure of every mistake, step by step" },
      trace: { type: "string", value: "FILE", help: "for replay: write it for ui.perfetto.dev" },
      reduction: { type: "boolean", help: "print what the reduction saves, by scenario" },
      "no-mutants": { type: "boolean", help: "leave the mistakes out" },
    },
    details:
      "PATH is a folder, or one file. NAME.ts declares scenarios; NAME.mutant.ts or .json beside it\n" +
      "is a mistake that it must find: a text of one file, and its replacement (docs/lab.md).\n" +
      "auto: schedules with one preemption first, if they are few; then one of each kind, by what\n" +
      "steps touched. Ends with 1 if a mistake is missed, or a scenario fails without one.",
  },
  run: runExplore,
};

async function runExplore(options: Options, io: Io): Promise<number> {
  const where = options.positionals[0];
  if (where === undefined) {
    throw new InputError("godwit explore", "no PATH", "a folder of scenarios, or one file");
  }
  const progress = new Progress(io);
  const wanted = exploreOptions(options);
  const asJson = options.has("json");
  const style = { colour: io.out.colour, width: screenWidth(io) };
  progress.show(`reading ${where}`);
  const files = await findScenarios(where);
  const schedule = options.text("replay");
  if (schedule !== null) return await runReplay(files, schedule, options, io, progress);
  if (options.has("reduction")) return await runReduction(files, wanted, io, asJson);
  let done = 0;
  const onScenario = (explored: ExploredScenario): void => {
    done++;
    progress.clear();
    if (!asJson) io.out.write(exploreText(explored, { ...style, tell: options.has("tell") }));
    progress.show(`${done} of ${files.length} explored`);
  };
  const explored = await exploreFolder(files, wanted, onScenario).finally(() => progress.clear());
  if (asJson) io.out.write(`${JSON.stringify(exploreJson(explored))}\n`);
  return explored.every(isGood) ? 0 : 1;
}

/** Status 1 if the run fails. */
async function runReplay(
  files: readonly ScenarioFile[],
  schedule: string,
  options: Options,
  io: Io,
  progress: Progress,
): Promise<number> {
  const [only, mutant, trace] = [
    options.text("only"),
    options.text("mutant"),
    options.text("trace"),
  ];
  progress.show("replaying");
  const story = await replayFile(files, { schedule, only, mutant }).finally(() => progress.clear());
  if (trace !== null) await writeFile(trace, JSON.stringify(storyTrace(story)));
  if (options.has("json")) io.out.write(`${JSON.stringify(story)}\n`);
  else io.out.write(storyText(story, storyStyle(io.out.colour, screenWidth(io))));
  return story.verdict === "failed" ? 1 : 0;
}

/** Status 1 if some scenario ends otherwise with the reduction than without. */
async function runReduction(
  files: readonly ScenarioFile[],
  { search, workers, only }: ExploreOptions,
  io: Io,
  asJson: boolean,
): Promise<number> {
  const { maxSeconds = DEFAULT_SECONDS, maxSchedules = REDUCTION_SCHEDULES } = search;
  const limits = { maxSeconds, maxSchedules, workers, only };
  const reductions = await measureReduction(files, limits);
  if (asJson) io.out.write(`${JSON.stringify(reductionJson(reductions))}\n`);
  else io.out.write(reductionText(reductions));
  return reductions.some((each) => agreement(each) === "differ") ? 1 : 0;
}

/** Stories have columns: they take what there is. */
function screenWidth({ out }: Io): number {
  return out.isTerminal ? out.columns : SCREEN_WIDTH;
}

function exploreOptions(options: Options): ExploreOptions {
  const seconds = options.count("seconds", 1, 86_400) ?? DEFAULT_SECONDS;
  const search: Partial<Omit<SearchOptions, "strategy">> = {
    maxSeconds: seconds,
    ...given("maxSchedules", options.count("schedules", 1, 1e12)),
    ...given("preemptions", options.count("preemptions", 0, 1000)),
    ...given("depth", options.count("depth", 1, 1000)),
    ...given("maxFaults", options.count("faults", 0, 100)),
    ...given("seed", options.count("seed", 0, 0xffff_ffff)),
  };
  const strategy = options.text("strategy") as StrategyName | null;
  return {
    search: { ...search, ...(strategy && { strategy }) },
    // Time to simplify and to tell, and a machine that has other things to do.
    maxSeconds: seconds * 2 + 30,
    workers: options.count("workers", 1, 256) ?? availableParallelism(),
    only: options.text("only"),
    mutants: !options.has("no-mutants"),
  };
}

function given(name: keyof SearchOptions, value: number | null): Record<string, number> {
  return value === null ? {} : { [name]: value };
}
