/** What `godwit new` writes can be explored as it is: clean, and its mistake is found. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { packageFile } from "../host/package-root.ts";

const folder = mkdtempSync(path.join(tmpdir(), "godwit-new-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

function godwit(...args: readonly string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [packageFile("dist/cli.js"), ...args],
    {
      encoding: "utf8",
      cwd: folder,
    },
  );
  return { status, out: stdout, err: stderr };
}

for (const kind of ["owner", "driver"]) {
  test(`a new ${kind} is clean, and its mistakes are found`, () => {
    const into = path.join(folder, kind);
    assert.equal(godwit("new", kind, `my-${kind}`, "--into", into).status, 0);
    const endings = [".mutant.ts", ".scenario.ts", ".ts"];
    assert.deepEqual(
      readdirSync(into),
      endings.map((ending) => `my-${kind}${ending}`),
    );
    const { status, out, err } = godwit("explore", into, "--json");
    assert.equal(status, 0, out + err);
    const { scenarios } = JSON.parse(out);
    assert.ok(scenarios.length > 0);
    for (const { fixed, mutant, mutantInOrder } of scenarios) {
      assert.deepEqual([fixed, mutant, mutantInOrder], ["clean", "found", "clean"]);
    }
  });
}

test("nothing is overwritten, and what is no kind and no name is refused", () => {
  assert.equal(godwit("new", "owner", "twice").status, 0);
  const again = godwit("new", "owner", "twice");
  assert.equal(again.status, 2);
  assert.match(again.err, /twice\.ts: found a file, expected none: nothing is overwritten/);
  assert.match(
    godwit("new", "thing", "x").err,
    /godwit new: found "thing", expected owner or driver/,
  );
  assert.match(
    godwit("new", "driver", "My Driver").err,
    /expected words with dashes, as in my-driver/,
  );
});
