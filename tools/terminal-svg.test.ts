import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { root } from "./build/sources.ts";

function draw(input: string): { status: number | null; svg: string; error: string } {
  const script = path.join(root, "tools/terminal-svg.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script], {
    cwd: root,
    input,
    encoding: "utf8",
  });
  return { status, svg: stdout, error: stderr };
}

test("words stand where the terminal has them, in its colours", () => {
  const { status, svg } = draw(
    "ab  \x1b[1m<c>\x1b[0m\n\x1b[38;2;1;2;255m\x1b[48;2;16;17;18mx\x1b[0m\n",
  );
  assert.equal(status, 0);
  assert.match(svg, /^<svg [^>]*viewBox="0 0 91 70"/);
  assert.match(svg, /<text x="18.0" y="31" textLength="15.6" fill="#d5dae2">ab<\/text>/);
  assert.match(svg, /<text x="49.2" y="31" textLength="23.4" [^>]* font-weight="bold">&lt;c>/);
  assert.match(svg, /<rect x="18.0" y="35" width="8.1" height="17.3" fill="#101112"\/>/);
  assert.match(svg, /<text x="18.0" y="48" textLength="7.8" fill="#0102ff">x<\/text>/);
});

test("an escape that it does not know is refused, not drawn", () => {
  for (const code of ["\x1b[38;5;12m", "\x1b[2J", "\x1b]0;title\x07"]) {
    const { status, error } = draw(`a${code}b\n`);
    assert.notEqual(status, 0);
    assert.match(error, /only 24-bit ones are known|an escape that is no colour/);
  }
});
