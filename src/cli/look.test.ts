import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { ColourDepth } from "../report/colour.ts";
import type { Look } from "../report/look.ts";
import { COMMANDS } from "./commands.ts";
import { dispatch } from "./dispatch.ts";

const ESCAPE = "\x1b";

/** Runs `godwit look` with these arguments; standard output as text. */
async function look(args: readonly string[], colour: ColourDepth = "none"): Promise<string> {
  let text = "";
  const output = {
    write: (more: string) => (text += more),
    isTerminal: false,
    columns: 80,
    colour,
  };
  const err = { ...output, write: (more: string) => assert.fail(more) };
  assert.equal(await dispatch(COMMANDS, ["look", ...args], { out: output, err }), 0);
  return text;
}

test("the bundled snapshot is shown within 100 columns", async () => {
  const lines = (await look([])).split("\n");
  assert.match(
    lines[0],
    /^slab-s2 \(before\) .*Linux 6\.18\.44 x86_64 · 24\.0 GiB · 1 node · 3 zones/,
  );
  for (const line of lines) assert.ok(line.length <= 100, line);
  const text = lines.join("\n");
  assert.match(text, /^ +0 B {2}r+\.+ +96\.3% {2}DMA, DMA32$/m);
  assert.match(text, /^ +\(no memory\)$/m);
  assert.match(text, /^ +s slab +181,804 +710 MiB +2\.9%/m);
  assert.match(text, /^ +Normal +Unmovable +832 /m);
  assert.match(text, /^ +9,886 {2}free blocks of 2 MiB/m);
  assert.match(text, /^ +exact +free blocks: /m);
});

test("in colour no line is wider than asked for, and every colour ends", async () => {
  const text = await look(["--side", "after", "--width", "80"], "all");
  assert.ok(text.includes(`${ESCAPE}[38;2;`));
  for (const line of text.split("\n")) {
    const plain = stripVTControlCharacters(line);
    assert.ok(plain.length <= 80, plain);
    const last = line.lastIndexOf(ESCAPE);
    assert.ok(last < 0 || line.startsWith(`${ESCAPE}[0m`, last), JSON.stringify(line));
  }
});

test("--json is one object whose numbers agree with each other", async () => {
  const answer: Look = JSON.parse(await look(["--json"]));
  assert.equal(answer.side, "before");
  assert.equal(answer.bytes, answer.pages * 4096);
  assert.equal(
    answer.kinds.reduce((sum, { pages }) => sum + pages, 0),
    answer.pages,
  );
  const free = answer.kinds.find(({ kind }) => kind === "free");
  const listed = answer.zones.flatMap(({ types }) => types.map(({ freeBlocks }) => freeBlocks));
  const pagesListed = listed.flat().reduce((sum, count, at) => sum + count * 2 ** (at % 11), 0);
  assert.equal(pagesListed, free?.pages);
  for (const { types, freeBlocks } of answer.zones) {
    for (const [order, count] of freeBlocks.entries()) {
      assert.equal(
        types.reduce((sum, type) => sum + type.freeBlocks[order], 0),
        count,
      );
    }
  }
  const { free: whole, movable, unknown, kernel, fixed } = answer.pageblocks;
  const blocks = answer.zones.flatMap(({ types }) => types.map(({ pageblocks }) => pageblocks));
  assert.equal(
    whole + movable + unknown + kernel + fixed,
    blocks.reduce((sum, count) => sum + count, 0),
  );
  assert.equal(whole, answer.hugePages);
});
