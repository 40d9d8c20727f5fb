import assert from "node:assert/strict";
import { test } from "node:test";
import { readCode } from "./files.ts";
import { largerThanWished, oversized } from "./sizes.ts";

const code = readCode("src", "web", "tools", "test", "bench", "soak", "scenarios", "examples");

test("modules and functions can be taken in at once", (t) => {
  assert.ok(code.length > 0);
  for (const message of largerThanWished(code)) t.diagnostic(message);
  assert.deepEqual(oversized(code), []);
});

const header = "/** What it is. */\n";
const lines = (count: number): string => "f();\n".repeat(count);

test("a long module is told at 301 lines and refused at 401, a test at 601", () => {
  const file = { path: "src/base/a.ts", text: header + lines(299) };
  assert.deepEqual(largerThanWished([file]), []);
  const larger = { ...file, text: header + lines(300) };
  assert.equal(largerThanWished([larger]).length, 1);
  assert.deepEqual(oversized([larger]), []);
  const largest = { ...file, text: header + lines(400) };
  assert.deepEqual(oversized([largest]), ["src/base/a.ts: 401 lines, at most 400"]);

  const testFile = { path: "src/base/a.test.ts", text: lines(600) };
  assert.deepEqual(oversized([testFile]), []);
  assert.equal(oversized([{ ...testFile, text: lines(601) }]).length, 1);
});

test("a function of 71 lines is found, whatever its kind", () => {
  const kinds = [
    (body: string) => `function f() {\n${body}}\n`,
    (body: string) => `const f = () => {\n${body}};\n`,
    (body: string) => `class A { *f() {\n${body}} }\n`,
    (body: string) => `test("a story", () => {\n${body}});\n`,
  ];
  for (const kind of kinds) {
    const of = (count: number): string[] =>
      oversized([{ path: "src/base/a.ts", text: header + kind(lines(count - 2)) }]);
    assert.deepEqual(of(70), []);
    assert.deepEqual(of(71), ["src/base/a.ts:2: a function of 71 lines, at most 70"]);
  }
});

test("a comment of 101 columns is found", () => {
  const text = (columns: number): string => `// ${"x".repeat(columns - 3)}\n`;
  assert.deepEqual(oversized([{ path: "src/a.ts", text: text(100) }]), []);
  const found = oversized([{ path: "src/a.ts", text: text(101) }]);
  assert.deepEqual(found, ["src/a.ts:1: 101 columns, at most 100"]);
});

test("a module of 30 lines needs a header, a shorter one and a test do not", () => {
  assert.deepEqual(oversized([{ path: "src/a.ts", text: lines(29) }]), []);
  assert.deepEqual(oversized([{ path: "src/a.test.ts", text: lines(30) }]), []);
  assert.equal(oversized([{ path: "src/a.ts", text: lines(30) }]).length, 1);
  assert.deepEqual(oversized([{ path: "src/a.ts", text: header + lines(30) }]), []);
});
