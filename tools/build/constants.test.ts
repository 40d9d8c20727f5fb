/** Constants are written out exactly where their value is wanted. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { inlineConstants } from "./constants.ts";

const folder = mkdtempSync(path.join(tmpdir(), "constants-"));
after(() => rmSync(folder, { recursive: true }));

writeFileSync(
  path.join(folder, "flags.ts"),
  [
    "export const PG = { locked: 0x1, dirty: 0x8 } as const;",
    "export const BOTH = PG.locked | PG.dirty;",
    "export const NONE = -1;",
    'export const NAMES = ["a"] as const;',
  ].join("\n"),
);

function inlined(...lines: string[]): string {
  const head = 'import { BOTH, NAMES, NONE, PG } from "./flags.ts";';
  return inlineConstants([head, ...lines].join("\n"), path.join(folder, "user.ts"))
    .split("\n")
    .slice(1)
    .join("\n");
}

test("members, names and what follows from them become numbers", () => {
  assert.equal(inlined("use(PG.dirty, BOTH, x & PG.locked);"), "use(8, 9, x & 1);");
});

test("a negative number is put in brackets", () => {
  assert.equal(inlined("use(a - NONE);"), "use(a - (-1));");
});

test("a constant of the file itself is written out, its declaration kept", () => {
  const source = ["const SIZE = 1 << 9;", "use(SIZE);"];
  assert.equal(inlined(...source), "const SIZE = 1 << 9;\nuse(512);");
});

test("names that are not uses stay", () => {
  const kept = [
    "type Flag = (typeof PG)[keyof typeof PG];",
    "const o = { BOTH: 1, x: NAMES };",
    "export { PG };",
    "o.BOTH(PG);",
  ];
  assert.equal(inlined(...kept), kept.join("\n"));
});

test("a name that a function declares for itself is not the constant", () => {
  const kept = ["function f(BOTH: number) { return BOTH; }"];
  assert.equal(inlined(...kept), kept.join("\n"));
});

test("lines keep their numbers", () => {
  const source = ["use(", "  PG.locked,", "  BOTH,", ");"];
  assert.equal(inlined(...source), ["use(", "  1,", "  9,", ");"].join("\n"));
});
