/** Mutants are texts of the engine: this tells at once which of them a change has taken away. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "../../tools/build/sources.ts";
import { allRaces } from "../races/all.ts";

test("the text of every mutant occurs once in its file", () => {
  const misplaced = allRaces
    .flatMap(({ mutants }) => mutants)
    .map(({ file, text }) => {
      const times = readFileSync(path.join(root, file), "utf8").split(text).length - 1;
      return { file, text, times };
    })
    .filter(({ times }) => times !== 1);
  assert.deepEqual(misplaced, []);
});
