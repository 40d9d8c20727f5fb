/** Nothing is there that nobody uses: no file, no export, no package. knip finds them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { root } from "../build/sources.ts";

/** What knip says of the project in `folder`, a line each. */
function unused(folder: string): string[] {
  const knip = path.join(root, "node_modules/knip/bin/knip.js");
  const args = [knip, "--reporter", "compact", "--no-progress", "--no-config-hints"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
  });
  assert.ok(status === 0 || stdout !== "", stderr);
  return stdout.split("\n").filter((line) => line !== "");
}

test("no file, export or package is unused", () => {
  assert.deepEqual(unused(root), []);
});

test("what nobody uses is found", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "godwit-unused-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = {
    "package.json": '{ "type": "module", "devDependencies": { "left-pad": "1.0.0" } }',
    "src/cli/main.ts": 'import { used } from "../base/a.ts";\nused();\n',
    "src/base/a.ts": "export function used(): void {}\nexport function lost(): void {}\n",
    "src/base/a.test.ts": 'import { tested } from "./b.ts";\ntested();\n',
    "src/base/b.ts": "export function tested(): void {}\n",
    "src/base/forgotten.ts": "export {};\n",
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
  for (const file of ["knip.json", "tsconfig.json"]) {
    copyFileSync(path.join(root, file), path.join(folder, file));
  }
  const found = unused(folder).join("\n");
  assert.match(found, /src\/base\/forgotten\.ts/);
  assert.match(found, /src\/base\/a\.ts: lost/);
  assert.match(found, /left-pad/);
  assert.doesNotMatch(found, /used\b(?! )|b\.ts|main\.ts/);
});
