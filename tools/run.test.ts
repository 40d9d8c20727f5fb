/** The launcher, in a small project of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { root } from "./build/sources.ts";

/** What else is built beside the command. */
const ENTRIES = [
  "bench/schedules.ts",
  "src/host/lab/explore-worker.ts",
  "src/host/lab-build/track.ts",
];

let project = "";

before(() => {
  project = mkdtempSync(path.join(tmpdir(), "godwit-run-"));
  for (const each of ["tools", "package.json", "package-lock.json", "tsconfig.json"]) {
    cpSync(path.join(root, each), path.join(project, each), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(project, "node_modules"));
  write("src/cli/main.ts", main("first"));
  write("src/base/a.test.ts", testFile("steps|plain"));
  write("src/base/a.plain.test.ts", testFile("plain"));
  write("src/base/a.schedules.test.ts", testFile("steps"));
  write("bench/main.ts", "/** Nothing to measure. */\n");
  write("soak/main.ts", "/** Nothing to soak. */\n");
  for (const entry of ENTRIES) write(entry, "/** Nothing. */\n");
});

after(() => rmSync(project, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(project, file)), { recursive: true });
  writeFileSync(path.join(project, file), text);
}

/** A program that shows its arguments, and ends with status 3. */
function main(word: string): string {
  return `
function* show(): Steps<string> { yield "showing"; return "${word}"; }
type Steps<T> = Generator<string, T, void>;
console.log(String(show()), ...process.argv.slice(2));
process.exitCode = 3;
`;
}

function testFile(builds: string): string {
  return `
import assert from "node:assert/strict";
import { test } from "node:test";
test("runs on its build", () => assert.match(process.env["GODWIT_BUILD"], /^(${builds})$/));
`;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Ended {
  const { NODE_TEST_CONTEXT: _, ...clean } = env;
  const argv = [path.join(project, "tools/run.mjs"), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    encoding: "utf8",
    env: clean,
  });
  return { status, stdout, stderr };
}

test("the first run builds and says so on standard error, the next one is silent", () => {
  const first = run(["godwit", "look", "--json"]);
  assert.equal(first.stdout, "first look --json\n");
  assert.match(first.stderr, /^building the commands: .*\nbuilt dist\/cli\.js .*\n$/);
  assert.equal(first.status, 3);
  assert.deepEqual(run(["godwit", "look", "--json"]), { ...first, stderr: "" });

  write("src/cli/main.ts", main("second"));
  const changed = run(["start", "--seed", "1"]);
  assert.equal(changed.stdout, "second start --seed 1\n");
  assert.match(changed.stderr, /^building the commands: /);
});

test("a source that is wrong ends the run with esbuild's message alone", () => {
  write("src/cli/main.ts", "export const = 1;\n");
  const { status, stdout, stderr } = run(["godwit"]);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /src\/cli\/main\.ts:1:13:[\s\S]*build failed after/);
  assert.doesNotMatch(stderr, /node:internal/);
  write("src/cli/main.ts", main("third"));
});

test("each test runs on the builds that its name asks for", () => {
  const { status, stdout, stderr } = run(["test", "src/base/a"]);
  assert.equal(status, 0, stdout);
  assert.equal(stderr, "testing the steps build: 2 files\ntesting the plain build: 2 files\n");
  write("src/base/b.test.ts", testFile("neither"));
  assert.equal(run(["test", "src/base"]).status, 1);
});

test("what is asked for wrongly ends with status 2", () => {
  const { status, stderr } = run(["compact"]);
  assert.equal(status, 2);
  assert.match(stderr, /^usage: .*start\|godwit\|soak\|bench\|bench-schedules\|build\|test/);
  assert.equal(run(["test", "no such path"]).status, 2);
});

test("a package that the lock file names otherwise is installed first", () => {
  const lock = path.join(project, "package-lock.json");
  const text = readFileSync(lock, "utf8");
  const wanted = JSON.parse(text);
  wanted.packages["node_modules/esbuild"].version = "0.0.1";
  writeFileSync(lock, JSON.stringify(wanted));
  write("bin/npm", '#!/bin/sh\necho "npm $*"\nexit 7\n');
  chmodSync(path.join(project, "bin/npm"), 0o755);
  const PATH = `${path.join(project, "bin")}:${process.env["PATH"]}`;

  const { status, stdout, stderr } = run(["godwit"], { ...process.env, PATH });
  assert.deepEqual([status, stdout], [7, ""]);
  assert.match(stderr, /^installing with npm ci: node_modules\/esbuild is not in node_modules/);
  assert.match(stderr, /\nnpm ci --no-audit --no-fund\n/);
  writeFileSync(lock, text);
});
