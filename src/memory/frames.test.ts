import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteFrames, DirectFrames, SlotFrames } from "./byte-frames.ts";
import { type Frames, PAGE_WORDS, POISON_WORD, TokenFrames } from "./frames.ts";
import type { Pfn } from "./memmap.ts";

const PAGES = 8;

/** Every kind, by what a failure should call it. */
const KINDS: readonly (readonly [string, () => Frames])[] = [
  ["tokens", () => new TokenFrames(PAGES)],
  ["bytes, slot = pfn", () => new DirectFrames(PAGES, PAGE_WORDS)],
  ["bytes, slots on demand", () => new SlotFrames(PAGES, PAGE_WORDS)],
];

type Op =
  | { readonly name: "fill"; readonly pfn: number; readonly key: number }
  | { readonly name: "copy"; readonly pfn: number; readonly src: number }
  | { readonly name: "free"; readonly pfn: number };

const PFN = fc.nat({ max: PAGES - 1 });

const OPS: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ name: fc.constant("fill" as const), pfn: PFN, key: fc.integer() }),
  fc.record({ name: fc.constant("copy" as const), pfn: PFN, src: PFN }),
  fc.record({ name: fc.constant("free" as const), pfn: PFN }),
);

for (const [kind, make] of KINDS) {
  test(`${kind}: a page holds what was last filled or copied into it, and nothing once freed`, () => {
    fc.assert(
      fc.property(fc.array(OPS, { maxLength: 30 }), (ops) => {
        const frames = make();
        const keys = new Array<number | null>(PAGES).fill(null);
        for (const op of ops) {
          if (op.name === "fill") {
            frames.fill(op.pfn as Pfn, op.key);
            keys[op.pfn] = op.key;
          } else if (op.name === "copy") {
            frames.copy(op.pfn as Pfn, op.src as Pfn);
            keys[op.pfn] = keys[op.src];
          } else {
            frames.poison(op.pfn as Pfn);
            keys[op.pfn] = null;
          }
        }
        for (const [pfn, key] of keys.entries()) {
          const holdsSome = ops.some((op) => "key" in op && frames.holds(pfn as Pfn, op.key));
          if (key === null) assert.equal(holdsSome, false, `page ${pfn} holds nothing`);
          else assert.equal(frames.holds(pfn as Pfn, key), true, `page ${pfn} holds ${key}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${kind}: another key, a written word and a cleared page are told apart`, () => {
    const frames = make();
    const pfn = 3 as Pfn;
    frames.fill(pfn, 5);
    assert.equal(frames.holds(pfn, 6), false);
    const value = frames.readWord(pfn, 0);
    frames.writeWord(pfn, 0, value ^ 1);
    assert.equal(frames.holds(pfn, 5), false);
    assert.equal(frames.readWord(pfn, 0), value ^ 1);
    frames.writeWord(pfn, 0, value);
    assert.equal(frames.holds(pfn, 5), true);
    frames.clear(pfn);
    assert.equal(frames.readWord(pfn, 0), 0);
    assert.equal(frames.holds(pfn, 5), false);
  });
}

test("with bytes, one wrong word anywhere in the page is found", () => {
  for (const frames of [new DirectFrames(PAGES, 1), new SlotFrames(PAGES, 1)]) {
    for (const word of [0, 1, 511, PAGE_WORDS - 1]) {
      const pfn = 2 as Pfn;
      frames.fill(pfn, 9);
      frames.writeWord(pfn, word, frames.readWord(pfn, word) ^ 0x100);
      assert.equal(frames.holds(pfn, 9), false, `word ${word}`);
    }
  }
});

test("copies do not share: writing to one leaves the other", () => {
  for (const [kind, make] of KINDS) {
    const frames = make();
    frames.fill(1 as Pfn, 4);
    frames.copy(2 as Pfn, 1 as Pfn);
    frames.writeWord(2 as Pfn, 0, 0);
    assert.equal(frames.holds(1 as Pfn, 4), true, kind);
    assert.equal(frames.holds(2 as Pfn, 4), false, kind);
  }
});

test("freeing writes poison over as many words as asked", () => {
  const frames = new DirectFrames(PAGES, 16);
  frames.fill(1 as Pfn, 4);
  const seventeenth = frames.readWord(1 as Pfn, 16);
  frames.poison(1 as Pfn);
  for (let word = 0; word < 16; word++) {
    assert.equal(frames.readWord(1 as Pfn, word), POISON_WORD);
  }
  assert.equal(frames.readWord(1 as Pfn, 16), seventeenth);
});

test("a memory of more than 2 GiB gives room only to pages that hold something", () => {
  assert.ok(byteFrames(1 << 19) instanceof DirectFrames);
  const large = byteFrames((1 << 19) + 1);
  assert.ok(large instanceof SlotFrames);
  const far = (1 << 19) as Pfn;
  assert.equal(large.holds(far, 1), false);
  assert.equal(large.readWord(far, 0), 0);
  large.fill(far, 1);
  large.copy(5 as Pfn, far);
  large.poison(far);
  assert.equal(large.holds(5 as Pfn, 1), true);
  assert.equal(large.holds(far, 1), false);
  large.copy(5 as Pfn, far);
  assert.equal(large.holds(5 as Pfn, 1), false, "a copy of nothing holds nothing");
});

test("poison is 1 byte to a whole page", () => {
  assert.throws(() => byteFrames(8, 0), /poison bytes are 1 to 4096: 0/);
  assert.throws(() => byteFrames(8, 4097), /poison bytes are 1 to 4096: 4097/);
  const frames = byteFrames(8, 4096);
  frames.fill(1 as Pfn, 1);
  frames.poison(1 as Pfn);
  assert.equal(frames.readWord(1 as Pfn, PAGE_WORDS - 1), POISON_WORD);
});
