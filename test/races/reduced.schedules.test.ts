/**
 * What is left out of a reduced search shows nothing new: all that may come of each race does.
 *
 * The races with many schedules, for which it matters, in a tracked build of their own.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildScenario } from "../../src/host/lab-build/build-scenario.ts";

const file = path.join(import.meta.dirname, "reduced.ts");
const { module } = await buildScenario(file, { touches: "tracked" });
const { scenarios } = (await import(pathToFileURL(module).href)) as {
  scenarios: typeof import("./reduced.ts");
};
rmSync(path.dirname(module), { recursive: true });

const many = scenarios.allRaces.filter(({ schedules }) => schedules >= 100);
assert.ok(many.length >= 10, `${many.length} races`);

for (const race of many) {
  test(`reduced: ${race.name}`, (t) => {
    const { schedules, outcomes } = scenarios.exploreReduced(race);
    assert.deepEqual(outcomes, race.outcomes);
    t.diagnostic(`${schedules} schedules stand for ${race.schedules} or more`);
  });
}
