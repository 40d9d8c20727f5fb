import assert from "node:assert/strict";
import { test } from "node:test";
import { type ColourEnv, colourDepth } from "./io.ts";

test("colour follows the environment first, then the terminal", () => {
  const cases: readonly (readonly [ColourEnv, boolean, string])[] = [
    [{}, true, "256"],
    [{}, false, "none"],
    [{ COLORTERM: "truecolor" }, true, "all"],
    [{ COLORTERM: "24bit" }, true, "all"],
    [{ COLORTERM: "truecolor" }, false, "none"],
    [{ TERM: "dumb" }, true, "none"],
    [{ NO_COLOR: "1", COLORTERM: "truecolor" }, true, "none"],
    [{ NO_COLOR: "" }, true, "256"],
    [{ FORCE_COLOR: "3" }, false, "all"],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, "256"],
    [{ FORCE_COLOR: "true" }, false, "256"],
    [{ FORCE_COLOR: "0", COLORTERM: "truecolor" }, true, "none"],
  ];
  for (const [env, isTerminal, depth] of cases) {
    assert.equal(colourDepth(env, isTerminal), depth, JSON.stringify([env, isTerminal]));
  }
});
