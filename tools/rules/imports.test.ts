import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "../build/sources.ts";
import { directlyBelow, roomsSeenBy } from "../layers.ts";
import { readCode, type TextFile } from "./files.ts";
import { importCycles, wrongImports } from "./imports.ts";

const code = readCode("src", "web");

test("every import obeys the table in tools/layers.ts", () => {
  assert.ok(code.length > 0);
  assert.deepEqual(wrongImports(code), []);
});

test("no module imports itself by a detour", () => {
  assert.deepEqual(importCycles(code), []);
});

test("the table goes down only", () => {
  const above = new Set<string>();
  for (const [room, below] of Object.entries(directlyBelow)) {
    for (const name of below) assert.ok(above.has(name), `${room} names ${name} before its row`);
    above.add(room);
  }
});

test("the table says what the design says", () => {
  const seen = (room: string): string => [...roomsSeenBy(room)].sort().join(" ");
  assert.equal(seen("memory"), "base events memory sched");
  assert.ok(!roomsSeenBy("callers").has("fs") && !roomsSeenBy("fs").has("drivers"));
  assert.ok(roomsSeenBy("cli").has("host") && !roomsSeenBy("report").has("host"));
  assert.equal(seen("web"), seen("report").replace("vm", "vm web"));
});

test("every folder of src/ has a row", () => {
  for (const room of readdirSync(path.join(root, "src"))) assert.ok(room in directlyBelow, room);
});

function module(file: string, text: string): TextFile {
  return { path: file, text };
}

test("an import upwards is found in every form", () => {
  const forms = [
    'import { a } from "../vm/a.ts";',
    'import type { A } from "../vm/a.ts";',
    'import "../vm/a.ts";',
    'export { a } from "../vm/a.ts";',
    'export * from "../vm/a.ts";',
    'export type { A } from "../vm/a.ts";',
    'const a = await import("../vm/a.ts");',
    'type A = import("../vm/a.ts").A;',
    'import a = require("../vm/a.ts");',
    'const a = require("../vm/a.ts");',
    "const a = await import(`../vm/a.ts`);",
  ];
  for (const form of forms) {
    const expected = ["src/memory/b.ts:1: imports src/vm/a.ts, which memory may not see"];
    assert.deepEqual(wrongImports([module("src/memory/b.ts", form)]), expected, form);
    assert.deepEqual(wrongImports([module("src/memory/b.test.ts", form)]).length, 1, form);
    assert.deepEqual(wrongImports([module("src/migrate/b.ts", form)]), [], form);
  }
});

test("an import that cannot be checked is for those alone who load what users wrote", () => {
  const [found] = wrongImports([module("src/memory/b.ts", "const a = await import(name);")]);
  assert.equal(found, "src/memory/b.ts:1: imports what only a run would tell");
  assert.deepEqual(wrongImports([module("src/host/b.ts", "const a = await import(name);")]), []);
});

test("rooms side by side do not see one another, and src/ sees nothing outside", () => {
  const wrong = (file: string, target: string): number =>
    wrongImports([module(file, `import "${target}";`)]).length;
  assert.equal(wrong("src/callers/compaction/a.ts", "../../fs/ext2.ts"), 1);
  assert.equal(wrong("src/callers/compaction/a.ts", "../offline.ts"), 0);
  assert.equal(wrong("src/machine/a.ts", "../fs/ext2.ts"), 0);
  assert.equal(wrong("src/report/a.ts", "../host/files.ts"), 1);
  assert.equal(wrong("src/cli/a.ts", "../../tools/layers.ts"), 1);
  assert.equal(wrong("web/a.ts", "../src/report/a.ts"), 0);
  assert.equal(wrong("web/a.ts", "../src/host/a.ts"), 1);
});

test("a folder without a row is found", () => {
  const lost = [module("src/utils/a.ts", ""), module("src/a.ts", "")];
  assert.equal(wrongImports(lost).length, 2);
});

test("Node and packages are found below host, however they are spelled", () => {
  for (const name of ["node:fs", "fs", "tar-stream"]) {
    const text = `import { a } from "${name}";`;
    assert.equal(wrongImports([module("src/snapshot/a.ts", text)]).length, 1, name);
    assert.equal(wrongImports([module("src/snapshot/a.test.ts", text)]).length, 0, name);
    assert.equal(wrongImports([module("src/host/a.ts", text)]).length, 0, name);
  }
});

test("a cycle is found, and one of types alone is none", () => {
  const a = module("src/base/a.ts", 'import { b } from "./b.ts";');
  const b = module("src/base/b.ts", 'export * from "../base/c.ts";');
  const c = module("src/base/c.ts", 'import { a } from "./a.ts";');
  const expected = ["src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts"];
  assert.deepEqual(importCycles([a, b, c]), expected);
  const typed = module("src/base/c.ts", 'import type { a } from "./a.ts";');
  assert.deepEqual(importCycles([a, b, typed]), []);
});
