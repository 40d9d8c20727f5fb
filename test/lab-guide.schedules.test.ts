/** docs/lab.md: what it shows is what a newcomer gets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { root } from "../tools/build/sources.ts";

const guide = readFileSync(path.join(root, "docs/lab.md"), "utf8");
const folder = mkdtempSync(path.join(tmpdir(), "godwit-guide-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

/** The fenced block behind a place of the guide. */
function block(behind: string): string {
  const at = guide.indexOf(behind);
  assert.ok(at >= 0, `the guide has: ${behind}`);
  return guide.slice(at).split(/^```.*\n/m)[1];
}

function godwit(...args: readonly string[]): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, "dist/cli.js"), ...args],
    { encoding: "utf8", cwd: folder },
  );
  assert.equal(stderr, "");
  return { status, out: stdout };
}

/** Times are of the machine that ran it; all else is the same everywhere. */
function untimed(text: string): string {
  return text.replaceAll(/\d+\.\d\d s/g, "N s");
}

test("the first ten minutes of the guide", () => {
  godwit("new", "driver", "page-box");
  const { status, out } = godwit("explore", ".");
  assert.equal(status, 0);
  assert.equal(untimed(out), untimed(block("<!-- explore: the driver as it is written -->")));

  const driver = path.join(folder, "page-box.ts");
  const lines = block("Now break it.").trimEnd().split("\n");
  const side = (mark: string): string =>
    lines
      .filter((line) => " ".includes(line[0]) || line[0] === mark)
      .map((line) => line.slice(1))
      .join("\n");
  const text = readFileSync(driver, "utf8");
  assert.ok(text.includes(side("-")), "the driver has what the guide takes away");
  writeFileSync(driver, text.replace(side("-"), side("+")));
  const broken = godwit("explore", ".", "--no-mutants");
  assert.equal(broken.status, 1);
  assert.equal(untimed(broken.out), untimed(block("<!-- explore: the driver broken -->")));
});

test("the scenario of the guide is clean", () => {
  const file = path.join(folder, "count.ts");
  writeFileSync(file, block("## A scenario"));
  const { status, out } = godwit("explore", file, "--json");
  assert.equal(status, 0, out);
  assert.match(JSON.parse(out).scenarios[0].claim, /^exhaustive: /);
});
