/**
 * The package as who installs it has it: packed, installed offline into an empty project, used.
 *
 * The programs of the guides run there and print what the guides say. They, and programs that must
 * not compile, are checked against the types that the package brings, as each kind of project
 * resolves them.
 */
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { transformSync } from "esbuild";
import { root } from "../tools/build/sources.ts";
import { programsOf } from "./package-programs.ts";

const GUIDES = ["README.md", "docs/library.md"];
const programs = GUIDES.flatMap((guide) =>
  programsOf(readFileSync(path.join(root, guide), "utf8")),
);

let project = "";
let packed: readonly string[] = [];

before(() => {
  project = mkdtempSync(path.join(tmpdir(), "godwit-package-"));
  // The build is there already; making it anew would take it from under other tests.
  const pack = npm(root, "pack", "--ignore-scripts", "--json", "--pack-destination", project);
  const [{ filename, files }] = JSON.parse(pack.stdout);
  packed = files.map((file: { path: string }) => file.path);
  write("package.json", '{ "type": "module", "private": true }');
  npm(project, "install", "--offline", "--no-audit", "--no-fund", `./${filename}`);
});

after(() => rmSync(project, { recursive: true }));

function write(file: string, text: string): string {
  writeFileSync(path.join(project, file), text);
  return file;
}

function run(program: string, args: readonly string[], cwd = project): SpawnSyncReturns<string> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawnSync(program, args, { cwd, env, encoding: "utf8" });
}

function npm(cwd: string, ...args: string[]): SpawnSyncReturns<string> {
  const ended = run("npm", args, cwd);
  assert.equal(ended.status, 0, ended.stderr);
  return ended;
}

/** What the compiler says of files of the project; "" if nothing is wrong. */
function typeErrors(
  files: readonly string[],
  resolution: object,
  types: readonly string[],
): string {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types,
    typeRoots: [path.join(root, "node_modules/@types")],
    ...resolution,
  };
  write("tsconfig.json", JSON.stringify({ compilerOptions, files }));
  return run(process.execPath, [path.join(root, "node_modules/typescript/bin/tsc")]).stdout;
}

const RESOLUTIONS = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];

/** What runs, its types, what it runs on, and the sources, into which the lab puts mistakes. */
const BELONGS =
  /^(dist\/(cli|explore-worker|track|library\/[\w-]+)\.js|dist\/types\/.*\.d\.ts|dist\/licenses\.txt|src\/.*\.ts|(examples|records|snapshots|docs)\/.*|[A-Z]+(\.md)?|package\.json)$/;

test("the package is what users need: no benches, no soak, no tests", () => {
  const strange = packed.filter((file) => !BELONGS.test(file) || /\.test\.|bench|soak/.test(file));
  assert.deepEqual(strange, []);
  assert.ok(packed.length > 500);
});

test("whatever package.json promises is in the package", () => {
  const installed = path.join(project, "node_modules/godwit");
  const { exports, bin } = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
  const promised = Object.values<string | Record<string, string>>({ ...exports, ...bin })
    .flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))
    .map((file) => path.join(installed, file));
  assert.ok(promised.length >= 10);
  assert.deepEqual(
    promised.filter((file) => !existsSync(file)),
    [],
  );
});

test("the guides have programs, and one without its text is refused", () => {
  assert.ok(programs.length >= 7, `only ${programs.length}`);
  assert.throws(() => programsOf("# A\n```ts\nf();\n```\n# B\n"), /under the program of "A"/);
  assert.throws(() => programsOf("# A\n```ts\nf();\n```\n```sh\nls\n```\n"), /"A"/);
});

for (const [number, { heading, source, printed }] of programs.entries()) {
  test(`the program under "${heading}" prints what stands under it`, () => {
    const { code } = transformSync(source, { loader: "ts", target: "node20", format: "esm" });
    const { stdout, stderr } = run(process.execPath, [write(`program-${number}.mjs`, code)]);
    assert.equal(stderr, "");
    assert.equal(stdout, printed);
  });
}

for (const resolution of RESOLUTIONS) {
  test(`the programs compile with moduleResolution ${resolution.moduleResolution}`, () => {
    const files = programs.map(({ source }, at) => write(`program-${at}.ts`, source));
    assert.equal(typeErrors(files, resolution, ["node"]), "");
  });
}

test("types need neither Node nor a browser, and say how calls are made", () => {
  const file = write("types.ts", TRUTHS);
  assert.equal(typeErrors([file], RESOLUTIONS[0], []), "");
});

/** Each expected error is one, else the compiler says that there is none. */
const TRUTHS = `
import * as plain from "godwit";
import * as snapshot from "godwit/snapshot";
import * as steps from "godwit/steps";

const machine = plain.createMachine({ memoryMiB: 16 });
const mm = machine.vm.createMm("a process");
export const word: number | "SIGSEGV" | "SIGBUS" = plain.readUser(machine.vm, mm, 1, 0);
// @ts-expect-error: a value is no call
export const call: Generator = plain.readUser(machine.vm, mm, 1, 0);
export const owner: plain.AddressSpaceOperations = { migrateFolio: () => "moved" };
// @ts-expect-error: owners are not asked for generators
export const late: plain.AddressSpaceOperations = { *migrateFolio() { return "moved"; } };
// @ts-expect-error: a frame number is no folio
plain.folioLock(machine.mem, 3);

const other = steps.createMachine({ memoryMiB: 16 });
const otherMm = other.vm.createMm("a process");
// @ts-expect-error: a call is no value
export const value: number | "SIGSEGV" | "SIGBUS" = steps.readUser(other.vm, otherMm, 1, 0);
export const blocking: steps.Blocking<number | "SIGSEGV" | "SIGBUS"> = steps.readUser(other.vm, otherMm, 1, 0);
export const asleep: steps.AddressSpaceOperations = { *migrateFolio() { yield "a point"; return "moved"; } };
// @ts-expect-error: a machine of the one is nothing to the other
steps.checkInvariants(machine);
// @ts-expect-error: and the other way round
plain.checkInvariants(other);

export function both(read: snapshot.Snapshot): void {
  plain.checkInvariants(snapshot.machineFromSnapshot(read, { contents: "tokens" }));
}
`;

test("machines of godwit/snapshot are those of godwit, errors of godwit/node too", () => {
  const source = `
import { InputError, Machine } from "godwit";
import { openSnapshot } from "godwit/node";
import { machineFromSnapshot } from "godwit/snapshot";
const archive = new URL(import.meta.resolve("godwit/snapshots/slab-s2.tar.gz")).pathname;
const { snapshot } = await openSnapshot(archive);
console.log(machineFromSnapshot(snapshot, { contents: "tokens" }) instanceof Machine);
console.log((await openSnapshot("/nowhere").catch((error) => error)) instanceof InputError);
`;
  const { stdout, stderr } = run(process.execPath, [write("same.mjs", source)]);
  assert.deepEqual([stdout, stderr], ["true\ntrue\n", ""]);
});

test("a call that would sleep says on what", () => {
  const source = `
import { createMachine, MemoryDevice, SlowDevice, smallFile, readUser, WouldSleepError } from "godwit";
const { mem, vm, clock } = createMachine({ memoryMiB: 16 });
const slowness = { latencyMin: 1, latencyMax: 1, errorProbability: 0, seed: 1 };
const file = smallFile(vm.cache, new SlowDevice(new MemoryDevice(mem), clock, slowness), 1);
const mm = vm.createMm("a process");
const { startVpn } = vm.mapFile(mm, { ...mm.freeRange(1), pgoff: 0 }, file);
try {
  readUser(vm, mm, startVpn, 0);
} catch (error) {
  console.log(error instanceof WouldSleepError, error.queue);
}
`;
  const { stdout, stderr } = run(process.execPath, [write("sleep.mjs", source)]);
  assert.match(stdout, /^true \S/);
  assert.equal(stderr, "");
});

test("the examples compile and are explored as installed, and each mistake in them is found", () => {
  cpSync(path.join(project, "node_modules/godwit/examples"), path.join(project, "examples"), {
    recursive: true,
  });
  const files = readdirSync(path.join(project, "examples")).map((file) => `examples/${file}`);
  assert.equal(typeErrors(files, { ...RESOLUTIONS[0], allowImportingTsExtensions: true }, []), "");

  const godwit = path.join(project, "node_modules/.bin/godwit");
  const without = run(godwit, ["explore", "examples", "--json"]);
  assert.equal(without.status, 2);
  assert.match(without.stderr, /npm install esbuild/);
  for (const name of ["esbuild", "typescript"]) {
    symlinkSync(path.join(root, "node_modules", name), path.join(project, "node_modules", name));
  }
  const { status, stdout, stderr } = run(godwit, ["explore", "examples", "--json"]);
  assert.equal(status, 0, stderr);
  const { scenarios } = JSON.parse(stdout) as { scenarios: { mutant: string; fixed: string }[] };
  assert.ok(scenarios.length >= 4);
  for (const { mutant, fixed } of scenarios) assert.deepEqual([mutant, fixed], ["found", "clean"]);
});

test("the command does its main job from anywhere, as installed", () => {
  const godwit = path.join(project, "node_modules/.bin/godwit");
  const { status, stdout, stderr } = run(godwit, ["start", "--json", "--html", "report.html"]);
  assert.equal(status, 0, stderr);
  const { verified } = JSON.parse(stdout);
  assert.equal(verified.mismatched, 0);
  assert.ok(verified.pages > 100_000);
  assert.match(readFileSync(path.join(project, "report.html"), "utf8"), /^<!doctype html>/i);
});
