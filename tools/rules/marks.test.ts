import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "../build/sources.ts";
import { readTexts, type TextFile } from "./files.ts";
import { leftOvers } from "./marks.ts";

function topTexts(): TextFile[] {
  return readdirSync(root)
    .filter((name) => /\.(md|json)$/.test(name))
    .map((name) => ({ path: name, text: readFileSync(path.join(root, name), "utf8") }));
}

test("nothing is left over", () => {
  const folders = [
    "src",
    "web",
    "tools",
    "test",
    "bench",
    "soak",
    "scenarios",
    "examples",
    "docs",
    ".ci",
  ];
  const texts = [...readTexts(...folders), ...topTexts()];
  assert.ok(texts.some(({ path }) => path === "package.json"));
  assert.deepEqual(leftOvers(texts), []);
});

test("each kind of left-over is found", () => {
  // In halves, so that this file has none.
  const kinds = [
    ["// TO", "DO: locking"],
    ["// FIX", "ME"],
    ["/* X", "XX */"],
    ['throw new Error("not ', 'implemented");'],
    ["test.on", 'ly("this one", () => {});'],
    ["describe.sk", 'ip("these", () => {});'],
    ['test("later", { sk', "ip: true }, () => {});"],
    ['test("later", { to', 'do: "when it works" }, () => {});'],
    ["<<<<", "<<< HEAD"],
    ["cat /ho", "me/someone/snapshot.tar.gz"],
    ['"/wo', 'rk/main"'],
    ["  debug", "ger;"],
  ];
  for (const halves of kinds) {
    const found = leftOvers([{ path: "a.ts", text: `first\n${halves.join("")}\n` }]);
    assert.equal(found.length, 1, halves.join(""));
    assert.match(found[0], /^a\.ts:2: /);
  }
});

test("what only looks like one is not", () => {
  const text = "list.skip(3);\nread('/proc/kpageflags');\nsrc/home/a.ts\nhttps://a.org/home/x\n";
  assert.deepEqual(leftOvers([{ path: "a.ts", text }]), []);
});
