/** Each race under every schedule: what must hold holds, and all that may come of it does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allRaces, exploreRace, runInEveryOrder } from "./all.ts";

for (const race of allRaces) {
  test(race.name, () => {
    runInEveryOrder(race);
    const { schedules, outcomes } = exploreRace(race);
    assert.deepEqual(outcomes, race.outcomes);
    assert.ok(schedules >= race.schedules, `${schedules} schedules`);
  });
}

test("races have names of their own", () => {
  assert.equal(new Set(allRaces.map(({ name }) => name)).size, allRaces.length);
});
