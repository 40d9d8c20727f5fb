/**
 * Each mutant of a race: no task makes the mistake show alone, some schedule does, and the string
 * that it is told by shows it again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError } from "../../src/base/input-error.ts";
import { allRaces, replayRace as replayOnEngine } from "../races/all.ts";
import { loadMutant, replaceOnce } from "./mutant-build.ts";

for (const engineRace of allRaces) {
  const { name, mutants } = engineRace;
  for (const mutant of mutants) {
    test(`${mutant.what}: found by "${name}"`, async () => {
      const {
        allRaces: mutated,
        findFailure,
        replayRace,
        runInEveryOrder,
      } = await loadMutant(mutant);
      const race = mutated.find((each) => each.name === name);
      assert.ok(race !== undefined);
      runInEveryOrder(race);
      const failure = findFailure(race);
      assert.equal(failure?.name, "ScheduleError", "no schedule shows the mistake");
      assert.match(failure.message, mutant.says);
      assert.throws(() => replayRace(race, failure.schedule), { message: failure.message });
      assert.ok(stands(() => replayOnEngine(engineRace, failure.schedule)));
    });
  }
}

/** The engine itself passes the schedule, or has no such choices. */
function stands(replay: () => void): boolean {
  try {
    replay();
    return true;
  } catch (error) {
    return error instanceof InputError;
  }
}

test("a text that is not there, or is there twice, is no mutant", () => {
  assert.equal(replaceOnce("a b c", "b", "x", "file"), "a x c");
  assert.throws(
    () => replaceOnce("a b c", "d", "", "file"),
    /file: found 0 times, expected once: d/,
  );
  assert.throws(() => replaceOnce("a b b", "b", "", "file"), /file: found 2 times/);
});

test("a mutant of a file that no race uses is refused", async () => {
  const mutant = {
    what: "nothing",
    file: "src/host/files.ts",
    text: "a",
    replacement: "b",
    says: /./,
  };
  await assert.rejects(loadMutant(mutant), /src\/host\/files\.ts: no race uses it/);
});
