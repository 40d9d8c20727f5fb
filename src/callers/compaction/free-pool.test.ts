/** What the free scanner holds, as single pages (6.1) and as blocks by order (6.18). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PROFILES, type Release } from "../../base/profile.ts";
import { buddyOrder, isolateFreeBlock } from "../../memory/buddy.ts";
import { folioOrder } from "../../memory/folio.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import type { Memory } from "../../memory/memory.ts";
import { listAddTail } from "../../memory/page-list.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import { createFreePool, type FreePool } from "./free-pool.ts";

/** A pool that has been given the free blocks at 4 and 8, of orders 2 and 3. */
function filledPool(release: Release): { mem: Memory; pool: FreePool; free: number } {
  const mem = smallMemory({ pageCount: 64 });
  mem.profile = PROFILES[release];
  const pool = createFreePool(mem);
  const free = mem.zones[0].freePages;
  const blocks = mem.takeList();
  for (const pfn of [mem.pfn(4), mem.pfn(8)]) {
    const order = buddyOrder(mem, pfn);
    assert.equal(isolateFreeBlock(mem, mem.zones[0], pfn, order), 1 << order);
    mem.private[pfn] = order;
    listAddTail(mem, blocks, pfn);
  }
  pool.add(blocks);
  mem.releaseList(blocks);
  return { mem, pool, free };
}

test("single pages are handed out last isolated first", () => {
  const { pool } = filledPool("6.1");
  assert.equal(pool.count, 12);
  assert.deepEqual([pool.take(0), pool.take(0), pool.take(0)], [15, 14, 13]);
  assert.equal(pool.count, 9);
});

test("blocks are handed out first isolated first, the smallest that fits split as needed", () => {
  const { mem, pool } = filledPool("6.18");
  assert.equal(pool.count, 12);
  assert.equal(pool.take(0), 4);
  assert.equal(pool.take(0), 5, "the rest of the block that was split");
  const folio = pool.take(2);
  assert.equal(folio, 8, "two pages are left of the first block");
  assert.equal(folio === null ? null : folioOrder(mem, folio), 2);
  assert.equal(pool.take(3), null);
  assert.equal(pool.count, 6);
});

test("what is given back is handed out next", () => {
  for (const release of ["6.1", "6.18"] as const) {
    const { pool } = filledPool(release);
    const folio = pool.take(0);
    assert.ok(folio !== null);
    pool.giveBack(folio);
    assert.equal(pool.count, 12);
    assert.equal(pool.take(0), folio);
  }
});

test("a large folio given back is a block again", () => {
  const { mem, pool } = filledPool("6.18");
  const folio = pool.take(3);
  assert.ok(folio !== null);
  pool.giveBack(folio);
  assert.equal(mem.refcount[folio], 0);
  assert.equal(mem.flags[folio], 0);
  assert.equal(pool.take(3), folio);
});

test("what is left is freed, and the highest frame of it told", () => {
  for (const [release, highest] of [
    ["6.1", 15],
    ["6.18", 8],
  ] as const) {
    const { mem, pool, free } = filledPool(release);
    assert.equal(mem.zones[0].freePages, free - 12);
    assert.equal(pool.release(), highest);
    assert.equal(mem.zones[0].freePages, free);
    assert.equal(pool.count, 0);
  }
});

test("what somebody else holds when it comes back is theirs to free", () => {
  for (const release of ["6.1", "6.18"] as const) {
    const { mem, pool, free } = filledPool(release);
    const folio = pool.take(0);
    assert.ok(folio !== null);
    folioGet(mem, folio);
    pool.giveBack(folio);
    pool.release();
    assert.equal(mem.refcount[folio], 1, release);
    folioPut(mem, folio);
    assert.equal(mem.zones[0].freePages, free, release);
  }
});
