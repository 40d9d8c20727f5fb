import assert from "node:assert/strict";
import { test } from "node:test";
import { countFreeBlocks, freeOneBlock } from "./buddy.ts";
import { MIGRATE, PAGEBLOCK_NR_PAGES } from "./constants.ts";
import { canStealFallback, findSuitableFallback } from "./fallback.ts";
import { MAPPING_MOVABLE, mappingWord } from "./mapping-word.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";
import { pageblockMigratetype, setPageblockMigratetype } from "./pageblock.ts";
import { takeFromBuddy } from "./pcp.ts";
import { type SmallZone, smallMemory } from "./small-memory.ts";

const { unmovable, movable, reclaimable, highatomic, cma, isolate } = MIGRATE;

/** First pages of the pageblocks that the tests use. */
const A = 512;
const B = 1024;
const C = 1536;

/** Four pageblocks, nothing free; block 0 is left alone. */
function blocks(types: Readonly<Record<number, number>>, zone: Partial<SmallZone> = {}): Memory {
  const zones = [{ startPfn: 0, spanned: 2048, ...zone }];
  const mem = smallMemory({ pageCount: 2048, zones, free: "none" });
  for (const [pfn, type] of Object.entries(types)) {
    setPageblockMigratetype(mem, Number(pfn) as Pfn, type);
  }
  return mem;
}

/** Frees a block with the type of its pageblock. */
function free(mem: Memory, pfn: number, order: number): void {
  const page = pfn as Pfn;
  freeOneBlock(mem, mem.zones[0], page, order, pageblockMigratetype(mem, page));
}

function take(mem: Memory, order: number, migratetype: number): number {
  return takeFromBuddy(mem, mem.zones[0], order, migratetype);
}

function typeOf(mem: Memory, pfn: number): number {
  return pageblockMigratetype(mem, pfn as Pfn);
}

/** Free pages on the lists of one type. */
function listed(mem: Memory, migratetype: number): number {
  let pages = 0;
  for (let order = 0; order <= 10; order++) {
    pages += countFreeBlocks(mem, mem.zones[0], order, migratetype) << order;
  }
  return pages;
}

test("each type asks the other two in its own order, and the special ones ask and give nothing", () => {
  const orders: readonly (readonly [number, number, number])[] = [
    [unmovable, reclaimable, movable],
    [movable, reclaimable, unmovable],
    [reclaimable, unmovable, movable],
  ];
  for (const [wanted, first, second] of orders) {
    const mem = blocks({ [A]: first, [B]: second, [C]: cma });
    const [zone] = mem.zones;
    free(mem, C, 5);
    assert.equal(findSuitableFallback(mem, zone, 5, wanted), -1, "CMA is no fallback");
    free(mem, B, 5);
    assert.equal(findSuitableFallback(mem, zone, 5, wanted), second);
    free(mem, A, 5);
    assert.equal(findSuitableFallback(mem, zone, 5, wanted), first);
    assert.equal(findSuitableFallback(mem, zone, 4, wanted), -1, "of this order alone");
    for (const special of [highatomic, cma, isolate]) {
      assert.equal(findSuitableFallback(mem, zone, 5, special), -1);
    }
  }
});

test("a pageblock may be stolen from order 4 on, and by unmovable and reclaimable always", () => {
  for (let order = 0; order <= 10; order++) {
    assert.equal(canStealFallback(order, movable), order >= 4, `order ${order}`);
    assert.equal(canStealFallback(order, unmovable), true);
    assert.equal(canStealFallback(order, reclaimable), true);
  }
});

test("the own lists come before any other type's, however large", () => {
  const mem = blocks({ [A]: movable, [B]: reclaimable });
  free(mem, B, 9);
  free(mem, A + 7, 0);
  assert.equal(take(mem, 0, movable), A + 7);
  assert.equal(typeOf(mem, B), reclaimable);
});

test("the largest block of another type is taken, and a whole pageblock changes its type", () => {
  const mem = blocks({ [A]: movable, [B]: movable });
  free(mem, A, 6);
  free(mem, B, 9);
  assert.equal(take(mem, 0, unmovable), B);
  assert.equal(typeOf(mem, B), unmovable);
  assert.equal(typeOf(mem, A), movable);
  assert.equal(listed(mem, unmovable), PAGEBLOCK_NR_PAGES - 1);
  assert.equal(listed(mem, movable), 64);
});

test("a block of order 10 changes the type of both its pageblocks", () => {
  const mem = blocks({ [B]: movable, [C]: reclaimable });
  free(mem, B, 9);
  free(mem, C, 9);
  assert.equal(mem.zones[0].freeBlocks[10], 1);
  assert.equal(take(mem, 9, unmovable), B);
  assert.deepEqual([typeOf(mem, B), typeOf(mem, C)], [unmovable, unmovable]);
  assert.equal(listed(mem, unmovable), PAGEBLOCK_NR_PAGES);
});

test("a pageblock comes with all its free blocks, and of them the smallest that will do is used", () => {
  const mem = blocks({ [A]: movable });
  free(mem, A, 7);
  free(mem, A + 256, 3);
  free(mem, A + 300, 0);
  assert.equal(take(mem, 2, unmovable), A + 256, "the found block of order 7 stays whole");
  assert.equal(listed(mem, movable), 0);
  assert.equal(listed(mem, unmovable), 128 + 4 + 1);
});

test("a stolen pageblock changes its type when half of it is free or of the new kind", () => {
  const cases: readonly { free: number; lru: number; wanted: number; becomes: number }[] = [
    // Unmovable takes a movable block: what is neither free nor movable is alike.
    { free: 256, lru: 256, wanted: unmovable, becomes: unmovable },
    { free: 128, lru: 256, wanted: unmovable, becomes: unmovable },
    { free: 128, lru: 257, wanted: unmovable, becomes: movable },
    { free: 128, lru: 384, wanted: reclaimable, becomes: movable },
    { free: 128, lru: 0, wanted: reclaimable, becomes: reclaimable },
  ];
  for (const { free: pages, lru, wanted, becomes } of cases) {
    const mem = blocks({ [A]: movable });
    free(mem, A, Math.log2(pages));
    for (let pfn = A + pages; pfn < A + pages + lru; pfn++) mem.flags[pfn] |= PG.lru;
    take(mem, 0, wanted);
    const text = `${pages} free, ${lru} movable, for type ${wanted}`;
    assert.equal(typeOf(mem, A), becomes, text);
    assert.equal(listed(mem, wanted), pages - 1, `${text}: the free pages come along anyhow`);
  }
});

test("for a movable request, pages on the LRU and movable pages off it are of the new kind", () => {
  for (const [onLru, offLru, becomes] of [
    [128, 64, movable],
    [127, 64, unmovable],
    [0, 0, unmovable],
  ]) {
    const mem = blocks({ [A]: unmovable });
    free(mem, A, 6);
    for (let pfn = A + 64; pfn < A + 64 + onLru; pfn++) mem.flags[pfn] |= PG.lru;
    for (let pfn = A + 300; pfn < A + 300 + offLru; pfn++) {
      mem.mapping[pfn] = mappingWord(0, MAPPING_MOVABLE);
    }
    take(mem, 0, movable);
    assert.equal(typeOf(mem, A), becomes, `${onLru} and ${offLru}`);
  }
});

test("unmovable and reclaimable have nothing alike in each other's pageblocks", () => {
  const mem = blocks({ [A]: reclaimable });
  free(mem, A, 7);
  assert.equal(take(mem, 0, unmovable), A);
  assert.equal(typeOf(mem, A), reclaimable);
  assert.equal(listed(mem, unmovable), 127);
});

test("a movable request that may not steal breaks the smallest block, and takes it alone", () => {
  const mem = blocks({ [A]: unmovable, [B]: reclaimable });
  free(mem, A, 3);
  free(mem, A + 100, 0);
  free(mem, B, 2);
  assert.equal(take(mem, 0, movable), A + 100);
  assert.equal(take(mem, 0, movable), B, "now order 2 is the smallest");
  assert.equal(listed(mem, movable), 3, "the rest of that block is movable's now");
  assert.equal(listed(mem, unmovable), 8, "and its pageblock's other pages are not");
  assert.deepEqual([typeOf(mem, A), typeOf(mem, B)], [unmovable, reclaimable]);
});

test("a movable request that may steal takes the largest block, like any other", () => {
  const mem = blocks({ [A]: unmovable, [B]: reclaimable });
  free(mem, A, 7);
  free(mem, B, 2);
  assert.equal(take(mem, 0, movable), A);
  assert.equal(listed(mem, reclaimable), 4);
});

test("a movable request for just the order that is there takes it where it is", () => {
  const mem = blocks({ [A]: unmovable, [B]: unmovable });
  free(mem, A, 2);
  free(mem, B, 3);
  assert.equal(take(mem, 3, movable), B);
  assert.equal(listed(mem, unmovable), 4);
});

test("a free block in a highatomic pageblock is taken alone and the pageblock stays", () => {
  const mem = blocks({ [A]: highatomic });
  const [zone] = mem.zones;
  freeOneBlock(mem, zone, A as Pfn, 5, movable);
  freeOneBlock(mem, zone, (A + 64) as Pfn, 4, movable);
  assert.equal(take(mem, 0, unmovable), A);
  assert.equal(typeOf(mem, A), highatomic);
  assert.equal(listed(mem, unmovable), 31);
  assert.equal(listed(mem, movable), 16);
});

test("a pageblock that the zone's end cuts gives the found block alone", () => {
  const mem = blocks({ [A]: movable }, { spanned: A + 200 });
  free(mem, A, 5);
  free(mem, A + 64, 3);
  assert.equal(take(mem, 0, unmovable), A);
  assert.equal(listed(mem, movable), 8);
  assert.equal(typeOf(mem, A), movable);
});

test("a pageblock that ends with the zone is stolen whole", () => {
  const mem = blocks({ [C]: movable });
  free(mem, C, 5);
  free(mem, C + 64, 3);
  assert.equal(take(mem, 0, unmovable), C + 64);
  assert.equal(listed(mem, movable), 0);
});

test("of a pageblock that begins before the zone, what lies below the found block stays", () => {
  const mem = blocks({ [A]: movable }, { startPfn: A + 40, spanned: 2048 - A - 40 });
  free(mem, A + 64, 3);
  free(mem, A + 96, 5);
  free(mem, A + 128, 2);
  assert.equal(take(mem, 0, unmovable), A + 128);
  assert.equal(listed(mem, movable), 8);
});

test("each theft below a pageblock raises the watermarks by one, up to half as much again", () => {
  const zone = { watermarkHigh: 1000 };
  const mem = blocks({ [A]: movable, [B]: movable, [C]: movable }, zone);
  const boosts = [A, A + 128, A + 256, B].map((pfn) => {
    setPageblockMigratetype(mem, pfn as Pfn, movable);
    free(mem, pfn, 0);
    assert.equal(take(mem, 0, unmovable), pfn);
    return mem.zones[0].watermarkBoost;
  });
  assert.deepEqual(boosts, [512, 1024, 1500, 1500]);
  free(mem, C, 9);
  mem.zones[0].watermarkBoost = 0;
  take(mem, 0, unmovable);
  assert.equal(mem.zones[0].watermarkBoost, 0, "a whole pageblock fragments nothing");
});

test("watermarks are not raised in a zone of less than four pageblocks, or without any", () => {
  for (const zone of [{ watermarkHigh: 1000, managed: 2047 }, { watermarkHigh: 0 }]) {
    const mem = blocks({ [A]: movable }, zone);
    free(mem, A, 0);
    assert.equal(take(mem, 0, unmovable), A);
    assert.equal(mem.zones[0].watermarkBoost, 0);
  }
});

test("movable requests use CMA memory: first while it is most of what is free, else last", () => {
  const mem = blocks({ [A]: cma, [B]: movable, [C]: unmovable });
  free(mem, C, 3);
  free(mem, A, 2);
  free(mem, B, 1);
  const [zone] = mem.zones;
  assert.equal(take(mem, 0, movable), B, "4 of 14 free pages are CMA's");
  assert.equal(take(mem, 0, movable), B + 1);
  assert.equal(take(mem, 0, movable), A, "before another type's block is broken");
  assert.deepEqual([zone.freePages, zone.freeCmaPages], [11, 3]);
  assert.equal(take(mem, 0, unmovable), C);
  take(mem, 2, unmovable);
  take(mem, 1, unmovable);
  assert.deepEqual([zone.freePages, zone.freeCmaPages], [4, 3]);
  free(mem, B, 0);
  assert.equal(take(mem, 0, movable), A + 1, "3 of 5: CMA's own come first");
  assert.equal(take(mem, 1, unmovable), -1, "nobody else may have them");
});
