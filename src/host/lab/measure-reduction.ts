/**
 * What the reduction saves: each scenario searched with it and without, in tracked builds both.
 *
 * The two must agree on how runs can end; where the search without it had to give up, what it saw
 * must be among what the other saw.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { assert } from "../../base/assert.ts";
import type { Reduction } from "../../lab/reduction.ts";
import { buildScenario } from "../lab-build/build-scenario.ts";
import { ExplorePool } from "./explore-pool.ts";
import type { ScenarioFile } from "./find-scenarios.ts";

export interface ReductionOptions {
  /** After so many schedules without the reduction that search gives up. */
  readonly maxSchedules: number;
  readonly maxSeconds: number;
  readonly workers: number;
  readonly only: string | null;
}

export async function measureReduction(
  files: readonly ScenarioFile[],
  { maxSchedules, maxSeconds, workers, only }: ReductionOptions,
): Promise<Reduction[]> {
  const pool = new ExplorePool(workers);
  const searches = [
    { strategy: "reduced", maxSeconds },
    { strategy: "all", maxSeconds, maxSchedules },
  ] as const;
  const ofFile = async ({ file }: ScenarioFile): Promise<Reduction[]> => {
    const { module } = await buildScenario(file, { touches: "tracked" });
    const job = { file, only, searches, finalStates: true };
    const order = { kind: "explore", module: pathToFileURL(module).href, job } as const;
    const answer = await pool.ask(order, file, (maxSeconds + 30) * searches.length);
    await rm(path.dirname(module), { recursive: true, force: true });
    assert(answer.kind === "explored", "a worker explores what it is to explore");
    const [reduced, all] = answer.explorations;
    return reduced.map((each, at) => ({ name: each.name, reduced: each, all: all[at] }));
  };
  try {
    return (await Promise.all(files.map(ofFile))).flat();
  } finally {
    await pool.close();
  }
}
