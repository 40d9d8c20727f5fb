import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readWords } from "./words.ts";

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const sorted = [...cuts, bytes.length]
    .map((cut) => cut % (bytes.length + 1))
    .sort((a, b) => a - b);
  let from = 0;
  for (const to of [...sorted, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}

async function wordsOf(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ words: bigint[]; rest: number }> {
  const words: bigint[] = [];
  const { entries, rest } = await readWords(chunks, (index, count, low, high) => {
    assert.equal(index, words.length, "runs come in order and without gaps");
    const word = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    for (let n = 0; n < count; n++) words.push(word);
  });
  assert.equal(entries, words.length);
  return { words, rest };
}

test("entries come out the same wherever the chunks end, also inside an entry", async () => {
  // Few values, so that runs of equal ones occur.
  const word = fc.oneof(
    fc.constantFrom(0n, 1n, 0x400n, 1n << 32n),
    fc.bigInt(0n, (1n << 64n) - 1n),
  );
  const property = fc.asyncProperty(
    fc.array(word, { maxLength: 40 }),
    fc.array(fc.nat(400), { maxLength: 20 }),
    fc.nat(7),
    async (words, cuts, extra) => {
      const bytes = new Uint8Array(words.length * 8 + extra);
      new BigUint64Array(bytes.buffer, 0, words.length).set(words);
      assert.deepEqual(await wordsOf(inPieces(bytes, cuts)), { words, rest: extra });
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test("chunks that start at odd addresses are read as well", async () => {
  const backing = new Uint8Array(19);
  const view = backing.subarray(3);
  new DataView(backing.buffer).setBigUint64(3, 0x0123456789abcdefn, true);
  new DataView(backing.buffer).setBigUint64(11, 7n, true);
  const { words } = await wordsOf(inPieces(view, []));
  assert.deepEqual(words, [0x0123456789abcdefn, 7n]);
});
