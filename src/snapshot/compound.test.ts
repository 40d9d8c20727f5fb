import assert from "node:assert/strict";
import { test } from "node:test";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { settleCompounds } from "./compound.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { Finding } from "./snapshot.ts";

const LRU = PG.lru | PG.uptodate | PG.swapbacked;

/** Columns of `length` pages of the kernel's, to be overwritten. */
function columnsOf(length: number): FlagColumns {
  return { flags: new Int32Array(length), kind: new Uint8Array(length).fill(PAGE_KIND.unknown) };
}

/** A head and its tails, as 6.18 shows them: with the head's flags on every page. */
function putFolio({ flags, kind }: FlagColumns, head: number, pages: number, own: number): void {
  flags.fill(own | PG.tail, head, head + pages);
  kind.fill(PAGE_KIND.anonymous, head, head + pages);
  flags[head] = own | PG.head;
}

function settle(columns: FlagColumns): { order: Uint8Array; findings: Finding[] } {
  const order = new Uint8Array(columns.kind.length);
  const findings: Finding[] = [];
  settleCompounds(columns, order, findings);
  return { order, findings };
}

test("a folio is a head and the run of tails behind it, and its state is the head's", () => {
  const columns = columnsOf(32);
  putFolio(columns, 8, 4, LRU);
  putFolio(columns, 12, 4, LRU | PG.mlocked);
  const { order, findings } = settle(columns);
  assert.deepEqual([order[8], order[12], order[9]], [2, 2, 0]);
  assert.equal(columns.flags[12], LRU | PG.mlocked | PG.head);
  assert.deepEqual([...columns.flags.subarray(13, 16)], [PG.tail, PG.tail, PG.tail]);
  assert.deepEqual(findings, []);
});

test("tails that show nothing of their own get their head's kind", () => {
  const columns = columnsOf(16);
  columns.flags.fill(PG.tail | PG.kernel, 4, 8);
  columns.flags[4] = PG.head | LRU;
  columns.kind[4] = PAGE_KIND.file;
  settle(columns);
  assert.deepEqual([...columns.kind.subarray(4, 8)], new Array(4).fill(PAGE_KIND.file));
});

test("a folio of 2 MiB is huge, whoever owns it; a smaller one is not", () => {
  const columns = columnsOf(2048);
  putFolio(columns, 512, 512, LRU);
  putFolio(columns, 1024, 256, LRU);
  putFolio(columns, 1536, 512, LRU);
  columns.kind.fill(PAGE_KIND.shmem, 1536, 2048);
  const { order } = settle(columns);
  assert.deepEqual([order[512], order[1024], order[1536]], [9, 8, 9]);
  assert.equal(columns.kind[513], PAGE_KIND.anonymousHuge);
  assert.equal(columns.kind[1024], PAGE_KIND.anonymous);
  assert.equal(columns.kind[2047], PAGE_KIND.fileHuge);
});

test("a poisoned page stays one inside a folio", () => {
  const columns = columnsOf(16);
  putFolio(columns, 8, 8, LRU);
  columns.kind[10] = PAGE_KIND.poisoned;
  columns.flags[10] = PG.tail | PG.hwpoison;
  settle(columns);
  assert.equal(columns.kind[10], PAGE_KIND.poisoned);
  assert.equal(columns.flags[10], PG.tail | PG.hwpoison);
  assert.equal(columns.kind[11], PAGE_KIND.anonymous);
});

test("what was caught while it changed is said and becomes plain", () => {
  const columns = columnsOf(32);
  // Seven pages: four are a folio, the tails behind them have no head.
  putFolio(columns, 8, 7, LRU);
  // A tail by itself, and a head by itself.
  columns.flags[20] = PG.tail;
  columns.flags[24] = PG.head | LRU;
  columns.kind[24] = PAGE_KIND.file;
  const { order, findings } = settle(columns);
  assert.equal(order[8], 2);
  for (const pfn of [12, 13, 14, 20]) {
    assert.equal(columns.flags[pfn], PG.kernel);
    assert.equal(columns.kind[pfn], PAGE_KIND.kernel);
  }
  assert.equal(columns.flags[24], LRU);
  assert.match(findings[0].text, /^5 pages /);
});

test("a folio is aligned to its size", () => {
  const columns = columnsOf(32);
  putFolio(columns, 12, 8, LRU);
  const { order } = settle(columns);
  assert.equal(order[12], 2);
});
