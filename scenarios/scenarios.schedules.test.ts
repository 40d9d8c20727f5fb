/**
 * Each scenario under every schedule; each of its mutants is found, for the right reason, and by no
 * task that runs to its end before the next begins.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { findScenarios } from "../src/host/lab/find-scenarios.ts";
import { type AppliedMutant, buildScenario } from "../src/host/lab-build/build-scenario.ts";
import type { Exploration } from "../src/lab/explore-scenario.ts";
import { isFound } from "../src/lab/explored.ts";
import type { Job } from "../src/lab/run-job.ts";

for (const { file, mutants } of await findScenarios("scenarios")) {
  const name = path.basename(file, ".ts");

  test(`${name} is clean, by a search that leaves nothing out`, async () => {
    const [explorations] = await explore(file, null, [{}]);
    for (const { failure, complete, claim } of explorations) {
      assert.equal(failure?.message, undefined);
      assert.ok(complete, claim);
    }
    assert.ok(mutants.length > 0, "it has a mistake to find");
  });

  for (const mutant of mutants) {
    test(`${name}: found: ${mutant.what}`, async () => {
      const ways = [{}, { strategy: "in-order" }] as const;
      const searches = await explore(file, mutant, ways, mutant.scenario);
      const [[exploration], [inOrder]] = searches;
      const { what, source, says } = mutant;
      const message = exploration.failure?.message;
      const tried = { what, source, says: says ?? null, exploration, inOrder };
      assert.ok(isFound(tried), message ?? "no schedule shows the mistake");
      assert.equal(inOrder.failure?.message, undefined, "one task after the other shows it");
    });
  }
}

/** What came of each scenario of the file, or of that one, for each of `searches`. */
async function explore(
  file: string,
  mutant: AppliedMutant | null,
  searches: Job["searches"],
  only: string | null = null,
): Promise<Exploration[][]> {
  // A search that must leave nothing out is short where it knows what each step touches.
  const options = mutant === null ? ({ touches: "tracked" } as const) : { mutant };
  const { module } = await buildScenario(file, options);
  try {
    const { run } = await import(pathToFileURL(module).href);
    return run({ file, only, searches });
  } finally {
    await rm(path.dirname(module), { recursive: true });
  }
}
