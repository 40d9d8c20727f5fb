import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "./constants.ts";
import { folioPut } from "./folio-ref.ts";
import { POISON_WORD } from "./frames.ts";
import { folioAddLru, lruAddDrain } from "./lru.ts";
import { MAPPING_ANON, MAPPING_KSM, MAPPING_MOVABLE, mappingWord } from "./mapping-word.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { folioAlloc, movableRequest } from "./page-alloc.ts";
import { PAGE_FLAGS_CHECK_AT_FREE, PG } from "./page-flags.ts";
import { freePages } from "./page-free.ts";
import { listAdd } from "./page-list.ts";
import { setPageblockMigratetype } from "./pageblock.ts";
import { smallMemory } from "./small-memory.ts";

function newFolio(mem: Memory, order = 0): Folio {
  const folio = folioAlloc(mem, { ...movableRequest(0), order });
  assert.ok(folio !== null, "the memory has room");
  return folio;
}

test("a freed page has no flag, no word and no contents left", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem);
  const uptodate = PG.uptodate | PG.dirty | PG.referenced | PG.swapbacked | PG.isolated;
  mem.flags[folio] |= uptodate | PG.anonExclusive;
  mem.mapping[folio] = mappingWord(3, MAPPING_ANON);
  mem.index[folio] = 9;
  mem.private[folio] = 8;
  mem.frames.writeWord(folio, 0, 42);
  folioPut(mem, folio);
  assert.deepEqual([mem.mapping[folio], mem.index[folio]], [0, 0]);
  assert.equal(mem.flags[folio] & ~PG.buddy, 0);
  assert.equal(mem.frames.readWord(folio, 0), POISON_WORD);
  assert.equal(mem.events.vmstat.snapshot().pgfree, 1);
  assert.equal(mem.zones[0].freePages, 63);
});

test("anonymous, KSM and movable words may stay until the end; a file's may not", () => {
  for (const kind of [MAPPING_ANON, MAPPING_KSM, MAPPING_MOVABLE] as const) {
    const mem = smallMemory({ pageCount: 64 });
    const folio = newFolio(mem);
    mem.mapping[folio] = mappingWord(0, kind);
    folioPut(mem, folio);
    assert.equal(mem.mapping[folio], 0);
  }
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem);
  mem.mapping[folio] = mappingWord(0, 0);
  assert.throws(() => folioPut(mem, folio), /free of a page that a file still owns/);
});

test("each flag that stands for somebody's claim must be gone", () => {
  const claims = Object.entries(PG).filter(
    ([name, flag]) => (flag & PAGE_FLAGS_CHECK_AT_FREE) !== 0 && name !== "lru",
  );
  const names = claims.map(([name]) => name);
  assert.deepEqual(names.sort(), [
    "active",
    "buddy",
    "hole",
    "locked",
    "offline",
    "private",
    "private2",
    "reserved",
    "slab",
    "table",
    "unevictable",
    "waiters",
    "writeback",
  ]);
  for (const [, flag] of claims) {
    const mem = smallMemory({ pageCount: 64 });
    const folio = newFolio(mem);
    mem.flags[folio] |= flag;
    assert.throws(() => folioPut(mem, folio), /free of a page with flags/);
  }
  const mem = smallMemory({ pageCount: 64 });
  const pfn = newFolio(mem);
  mem.refcount[pfn] = 0;
  mem.flags[pfn] |= PG.lru;
  assert.throws(() => freePages(mem, pfn, 0), /free of a page with flags/);
});

test("a page that is held, mapped or on a list is not to be freed, the tails of a compound too", () => {
  const mem = smallMemory({ pageCount: 64 });
  const held = newFolio(mem);
  assert.throws(() => freePages(mem, held, 0), /free of a page with references/);
  const folio = newFolio(mem, 2);
  mem.mapcount[folio + 3] = 1;
  assert.throws(() => folioPut(mem, folio), /free of a mapped page/);
  const listed = newFolio(mem);
  listAdd(mem, mem.takeList(), listed);
  assert.throws(() => folioPut(mem, listed), /free of a page that is on a list/);
});

test("a folio on the LRU leaves its list as it is freed, active or not", () => {
  for (const flags of [0, PG.active, PG.swapbacked, PG.swapbacked | PG.active, PG.mlocked]) {
    const mem = smallMemory({ pageCount: 64 });
    const folio = newFolio(mem);
    mem.flags[folio] |= flags;
    folioAddLru(mem, folio);
    lruAddDrain(mem);
    folioPut(mem, folio);
    assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 0, 0, 0]);
    assert.equal(mem.zones[0].freePages, 63);
  }
});

test("a compound comes apart into as many pages as it had, each poisoned and as new", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem, 4);
  mem.index[folio + 5] = 3;
  folioPut(mem, folio);
  assert.equal(mem.zones[0].freePages, 63);
  assert.equal(mem.events.vmstat.snapshot().pgfree, 16);
  for (let at = 1; at < 16; at++) {
    const page = (folio + at) as Pfn;
    assert.deepEqual([mem.flags[page], mem.index[page], mem.private[page]], [0, 0, 0]);
    assert.equal(mem.frames.readWord(page, 0), POISON_WORD);
  }
});

test("a poisoned page is swallowed: it never comes back to the allocator", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem);
  mem.flags[folio] |= PG.hwpoison;
  folioPut(mem, folio);
  assert.equal(mem.flags[folio], PG.hwpoison);
  assert.equal(mem.zones[0].freePages, 62);
});

test("orders without per-CPU lists go straight to the lists of their pageblock's type", () => {
  const mem = smallMemory({
    pageCount: 1024,
    zones: [{ startPfn: 0, spanned: 1024, pcp: { high: 512, batch: 8 } }],
    free: "none",
  });
  setPageblockMigratetype(mem, 512 as Pfn, MIGRATE.reclaimable);
  freePages(mem, 512 as Pfn, 4);
  assert.equal(mem.zones[0].freeBlocks[4], 1);
  assert.equal(mem.next[512], mem.zones[0].freeList(4, MIGRATE.reclaimable));
  freePages(mem, 600 as Pfn, 3);
  assert.equal(mem.zones[0].pcp[0].count, 8);
});
