import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_ORDER, MIGRATE } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import {
  buddyMarksOf,
  countMaximalBlocks,
  partUnmergeable,
  settleMaximalBlocks,
} from "./free-blocks.ts";
import { settleHeadsOnly } from "./free-heads.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { ZoneSegment } from "./zones.ts";

/** The allocator itself, as simply as can be: pages are freed one by one and buddies merge. */
class ModelBuddy {
  readonly free: Map<number, number> = new Map();
  private readonly zone: ZoneSegment;

  constructor(zone: ZoneSegment) {
    this.zone = zone;
  }

  freePage(pfn: number): void {
    let head = pfn;
    let order = 0;
    for (; order < MAX_ORDER - 1; order++) {
      const buddy = head ^ (1 << order);
      const fits = buddy >= this.zone.start && buddy + 2 ** order <= this.zone.end;
      if (!fits || this.free.get(buddy) !== order) break;
      this.free.delete(buddy);
      head &= buddy;
    }
    this.free.set(head, order);
  }
}

const PAGES = 4096;

/** Runs of free and used pages, and the order in which the free ones were freed. */
const memories: fc.Arbitrary<{ free: number[]; zone: ZoneSegment }> = fc
  .record({
    runs: fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 40 }),
    start: fc.integer({ min: 0, max: 700 }),
    seed: fc.nat(),
  })
  .map(({ runs, start, seed }) => {
    const free: number[] = [];
    let pfn = start;
    for (const [index, length] of runs.entries()) {
      for (let n = 0; n < length && pfn < PAGES; n++, pfn++) if (index % 2 === 0) free.push(pfn);
    }
    const rank = (page: number): number => Math.imul(page ^ seed, 0x9e3779b1) >>> 0;
    free.sort((a, b) => rank(a) - rank(b));
    return { free, zone: { zone: 0, start, end: PAGES } };
  });

function columnsOf(free: Iterable<number>): FlagColumns {
  const kind = new Uint8Array(PAGES).fill(PAGE_KIND.anonymous);
  for (const pfn of free) kind[pfn] = PAGE_KIND.free;
  return { kind, flags: new Int32Array(PAGES) };
}

test("maximal aligned blocks are the allocator's own, in whatever order pages were freed", () => {
  const property = fc.property(memories, ({ free, zone }) => {
    const model = new ModelBuddy(zone);
    for (const pfn of free) model.freePage(pfn);
    const columns = columnsOf(free);
    const order = new Uint8Array(PAGES);
    const [counts] = settleMaximalBlocks(columns, order, 1, [zone]);
    const found = new Map<number, number>();
    for (let pfn = 0; pfn < PAGES; pfn++) {
      if ((columns.flags[pfn] & PG.buddy) !== 0) found.set(pfn, order[pfn]);
    }
    assert.deepEqual(found, new Map([...model.free].sort(([a], [b]) => a - b)));
    assert.deepEqual(countMaximalBlocks(columns.kind, 1, [zone]), [counts]);
    const pages = counts.reduce((sum, count, size) => sum + count * 2 ** size, 0);
    assert.equal(pages, free.length);
  });
  fc.assert(property, { numRuns: 200 });
});

test("blocks end where their zone ends", () => {
  const columns = columnsOf(Array.from({ length: 1024 }, (_, pfn) => pfn));
  const zones = [
    { zone: 0, start: 0, end: 768 },
    { zone: 1, start: 768, end: 1024 },
  ];
  const counts = countMaximalBlocks(columns.kind, 2, zones);
  assert.deepEqual(counts[0], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
  assert.deepEqual(counts[1], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
});

test("kernels that mark heads only are told apart by the pages", () => {
  const every = columnsOf([0, 1, 2, 3, 8, 9, 33]);
  assert.equal(buddyMarksOf(every.kind), "every page");
  // Heads are even but for blocks of one page, whose even neighbour is in use.
  const heads = columnsOf(Array.from({ length: 300 }, (_, index) => index * 8));
  assert.equal(buddyMarksOf(heads.kind), "heads only");
});

test("a machine without one free page says nothing about marks and has no blocks", () => {
  const none = columnsOf([]);
  assert.equal(buddyMarksOf(none.kind), "every page");
  const zone = { zone: 0, start: 0, end: PAGES };
  assert.deepEqual(countMaximalBlocks(none.kind, 1, [zone]), [new Array(MAX_ORDER).fill(0)]);
});

/** The columns of a kernel that marks heads only; `kernel` pages show no flag either. */
function headsOnly(blocks: ReadonlyMap<number, number>, kernel: readonly number[]): FlagColumns {
  const columns = columnsOf(blocks.keys());
  for (const pfn of kernel) columns.kind[pfn] = PAGE_KIND.unknown;
  for (const [pfn, order] of blocks) {
    columns.kind.fill(PAGE_KIND.unknown, pfn + 1, pfn + 2 ** order);
  }
  return columns;
}

test("with heads alone, sizes agree with buddyinfo and no block is larger than its place", () => {
  const property = fc.property(memories, fc.nat(5), ({ free, zone }, share) => {
    // Some pages that are not free belong to the kernel and look like the inside of a block.
    const isFree = new Set(free);
    const kernel = Array.from({ length: PAGES }, (_, pfn) => pfn).filter(
      (pfn) => pfn >= zone.start && !isFree.has(pfn) && (pfn >> 3) % 6 < share,
    );
    const model = new ModelBuddy(zone);
    for (const pfn of free) model.freePage(pfn);
    const wanted = new Array<number>(MAX_ORDER).fill(0);
    for (const order of model.free.values()) wanted[order]++;
    const columns = headsOnly(model.free, kernel);
    const order = new Uint8Array(PAGES);
    const counts = settleHeadsOnly(columns, order, null, 1, [zone], [wanted]);
    assert.deepEqual(counts, [wanted]);
    for (const pfn of model.free.keys()) {
      assert.equal(columns.flags[pfn], PG.buddy);
      assert.equal(pfn % 2 ** order[pfn], 0);
    }
    if (kernel.length === 0) {
      for (const [pfn, size] of model.free) assert.equal(order[pfn], size);
    }
  });
  fc.assert(property, { numRuns: 100 });
});

test("without buddyinfo the sizes are what the flags allow", () => {
  const columns = headsOnly(new Map([[8, 2]]), [12, 13, 14, 15]);
  const order = new Uint8Array(PAGES);
  settleHeadsOnly(columns, order, null, 1, [{ zone: 0, start: 0, end: PAGES }], null);
  assert.equal(order[8], 3);
  const mapcount = new Int32Array(PAGES);
  mapcount[13] = 1;
  const again = headsOnly(new Map([[8, 2]]), [12, 13, 14, 15]);
  settleHeadsOnly(again, order, mapcount, 1, [{ zone: 0, start: 0, end: PAGES }], null);
  assert.equal(order[8], 2);
});

test("blocks of types that never merge are parted again", () => {
  const zone = { zone: 0, start: 0, end: PAGES };
  const columns = columnsOf(Array.from({ length: PAGES }, (_, pfn) => pfn));
  const order = new Uint8Array(PAGES);
  const counts = settleMaximalBlocks(columns, order, 1, [zone]);
  assert.equal(counts[0][10], 4);
  const types = Uint8Array.of(
    ...[MIGRATE.movable, MIGRATE.highatomic],
    ...[MIGRATE.movable, MIGRATE.unmovable],
    ...[MIGRATE.cma, MIGRATE.cma],
    ...[MIGRATE.isolate, MIGRATE.movable],
  );
  partUnmergeable(columns, order, types, counts, [zone]);
  assert.deepEqual(counts[0].slice(9), [4, 2]);
  assert.deepEqual(
    [0, 512, 1024, 1536, 2048, 3072, 3584].map((pfn) => order[pfn]),
    [9, 9, 10, 0, 10, 9, 9],
  );
  assert.equal(columns.flags[512], PG.buddy);
  assert.equal(columns.flags[1536], 0);
});
