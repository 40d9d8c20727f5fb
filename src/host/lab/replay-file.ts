/**
 * One schedule of one scenario again, with a mistake or without: built, run in a worker, told.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { assert } from "../../base/assert.ts";
import { InputError } from "../../base/input-error.ts";
import type { Story } from "../../lab/tell/story.ts";
import { buildScenario } from "../lab-build/build-scenario.ts";
import { ExplorePool } from "./explore-pool.ts";
import type { FoundMutant, ScenarioFile } from "./find-scenarios.ts";

/** Seconds after which a run that does not end is ended. */
const MAX_SECONDS = 60;

export interface ReplayOptions {
  readonly schedule: string;
  /** Only the scenario whose name has this in it. */
  readonly only: string | null;
  /** The number of a mistake, from 1, or a part of what it says; null for none. */
  readonly mutant: string | null;
}

export async function replayFile(
  files: readonly ScenarioFile[],
  { schedule, only, mutant }: ReplayOptions,
): Promise<Story> {
  const [{ file, mutants }] = files;
  if (files.length > 1) throw new InputError("--replay", `${files.length} files`, "one");
  const applied = mutant === null ? {} : { mutant: pick(file, mutants, mutant) };
  const { module } = await buildScenario(file, applied);
  const pool = new ExplorePool(1);
  try {
    const job = { file, only, schedule };
    const order = { kind: "replay", module: pathToFileURL(module).href, job } as const;
    const answer = await pool.ask(order, file, MAX_SECONDS);
    assert(answer.kind === "told", "a worker tells what it is to tell");
    return answer.story;
  } finally {
    await pool.close();
    await rm(path.dirname(module), { recursive: true, force: true });
  }
}

function pick(file: string, mutants: readonly FoundMutant[], wanted: string): FoundMutant {
  const found = /^\d+$/.test(wanted)
    ? mutants.slice(Number(wanted) - 1, Number(wanted))
    : mutants.filter(({ what, source }) => what.includes(wanted) || source.includes(wanted));
  if (found.length === 1) return found[0];
  const known = mutants.map(({ what }, at) => `${at + 1}: "${what}"`).join(", ");
  throw new InputError(
    `--mutant ${wanted}`,
    `${found.length} mistakes of ${file}`,
    `one of ${known}`,
  );
}
