import assert from "node:assert/strict";
import { test } from "node:test";
import {
  readCgroupColumn,
  readFlagColumns,
  readKindColumn,
  readMapcountColumn,
  readPfns,
  type SnapshotFile,
} from "./columns.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import { chunksOf } from "./synthetic.ts";

function fileOf(words: readonly bigint[], size: number | null = words.length * 8): SnapshotFile {
  const bytes = new Uint8Array(BigUint64Array.from(words).buffer);
  return { place: "f", size, chunks: chunksOf(bytes, 100_000) };
}

test("a file of /proc, whose size is not told, grows with what is read", async () => {
  const words = Array.from({ length: 3_000_000 }, (_, pfn) => BigInt(pfn % 5 === 0 ? 0x400 : 0x80));
  const { flags, kind } = await readFlagColumns(fileOf(words, null));
  assert.equal(kind.length, words.length);
  assert.equal(flags.length, words.length);
  assert.equal(kind[2_999_995], PAGE_KIND.free);
  assert.equal(kind[2_999_999], PAGE_KIND.slab);
  assert.deepEqual(await readKindColumn(fileOf(words, null)), kind);
});

test("a size that no such file has is refused", async () => {
  const odd: SnapshotFile = { place: "f", size: 12, chunks: chunksOf(new Uint8Array(12), 5) };
  await assert.rejects(readFlagColumns(odd), {
    name: "InputError",
    message: "f: found 12 bytes, expected a multiple of 8",
  });
  await assert.rejects(readKindColumn(fileOf([1n, 2n], 24)), {
    name: "InputError",
    message: "f: found 16 bytes, expected the 24 that its header says",
  });
  await assert.rejects(readMapcountColumn(fileOf([], 8 * 2 ** 31)), { name: "InputError" });
});

test("a mapcount that no page can have is cut", async () => {
  const words = [0n, 1n, 2049n, 0x7fffffffn, 0x80000000n, 1n << 32n];
  assert.deepEqual(
    [...(await readMapcountColumn(fileOf(words)))],
    [0, 1, 2049, 0x7fffffff, 0x7fffffff, 0x7fffffff],
  );
});

test("cgroups become small numbers in the order of their first page", async () => {
  const { ids, inodes } = await readCgroupColumn(fileOf([0n, 77n, 1n << 40n, 77n, 0n]));
  assert.deepEqual([...ids], [0, 1, 2, 1, 0]);
  assert.deepEqual(inodes, [0, 77, 2 ** 40]);
});

test("cgroups beyond what 16 bits tell apart share the last number", async () => {
  const words = Array.from({ length: 70_000 }, (_, index) => BigInt(index));
  const { ids, inodes } = await readCgroupColumn(fileOf(words));
  assert.equal(inodes.length, 65536);
  assert.equal(ids[65534], 65534);
  assert.equal(ids[65535], 65535);
  assert.equal(ids[69_999], 65535);
});

test("a list of frames refuses what is none", async () => {
  assert.deepEqual([...(await readPfns(fileOf([5n, 0n, 6553599n])))], [5, 0, 6553599]);
  await assert.rejects(readPfns(fileOf([5n, 1n << 31n])), {
    message: "f: entry 1: found a number beyond any frame, expected a pfn",
  });
});
