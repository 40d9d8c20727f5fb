/** The reduction leaves schedules out, and never a state in which runs can end. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { root } from "../tools/build/sources.ts";

test("runs end alike with the reduction and without, in every scenario", () => {
  const limits = ["--seconds", "20", "--schedules", "1000"];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [path.join(root, "dist/cli.js"), "explore", "scenarios", "--reduction", "--json", ...limits],
    { encoding: "utf8", cwd: root },
  );
  assert.equal(status, 0, stderr);
  const { reductions } = JSON.parse(stdout);
  assert.ok(reductions.length >= 10, "ten scenarios at least");
  for (const { name, agreement, complete, schedules, without } of reductions) {
    assert.equal(agreement, "same", name);
    assert.ok(complete && schedules <= without, name);
  }
});
