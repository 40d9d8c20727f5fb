import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  buddyOrder,
  countFreeBlocks,
  freeOneBlock,
  isolateFreeBlock,
  moveFreePages,
  pageBuddy,
  placeFreeBlock,
  takeSmallest,
} from "./buddy.ts";
import { MAX_ORDER, MIGRATE, type Migratetype, PAGEBLOCK_NR_PAGES } from "./constants.ts";
import { POISON_WORD } from "./frames.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { allocPages } from "./page-alloc.ts";
import { freePages } from "./page-free.ts";
import { pageblockMigratetype, setPageblockMigratetype } from "./pageblock.ts";
import { smallMemory } from "./small-memory.ts";

/** Blocks in use, by first page, and which pages are free: all that the model knows. */
interface Model {
  readonly used: Map<number, number>;
  readonly isFree: boolean[];
}

type BuddyCommand = fc.Command<Model, Memory>;

/** Two blocks of the largest order and a zone that ends in the middle of a pageblock. */
const PAGE_COUNT = 2048 + 300;

/** Free blocks by order if every two free buddies are one. */
function mergedCounts(isFree: readonly boolean[]): number[] {
  const counts = new Array<number>(MAX_ORDER).fill(0);
  let pfn = 0;
  while (pfn < isFree.length) {
    let order = -1;
    while (order + 1 < MAX_ORDER && isFreeBlock(isFree, pfn, order + 1)) order++;
    if (order >= 0) counts[order]++;
    pfn += order >= 0 ? 1 << order : 1;
  }
  return counts;
}

function isFreeBlock(isFree: readonly boolean[], pfn: number, order: number): boolean {
  const end = pfn + (1 << order);
  if (pfn % (1 << order) !== 0 || end > isFree.length) return false;
  for (let page = pfn; page < end; page++) if (!isFree[page]) return false;
  return true;
}

function hasFreeBlock(isFree: readonly boolean[], order: number): boolean {
  return mergedCounts(isFree).some((count, size) => count > 0 && size >= order);
}

function assertSame({ used, isFree }: Model, mem: Memory): void {
  const [zone] = mem.zones;
  const expected = mergedCounts(isFree);
  assert.deepEqual([...zone.freeBlocks], expected);
  assert.equal(zone.freePages, isFree.filter((free) => free).length);
  const heads = expected.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let pfn = 0; pfn < mem.pageCount; pfn++) if (pageBuddy(mem, pfn as Pfn)) seen++;
  assert.equal(seen, heads, "no page heads a free block that is on no list");
  for (const pfn of used.keys()) assert.equal(mem.refcount[pfn], 1);
}

class Alloc implements BuddyCommand {
  private readonly order: number;
  private readonly migratetype: Migratetype;

  constructor(order: number, migratetype: Migratetype) {
    this.order = order;
    this.migratetype = migratetype;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, mem: Memory): void {
    const { order, migratetype } = this;
    const pfn = allocPages(mem, { order, migratetype, node: 0, highestZone: "Normal" });
    assert.equal(pfn !== -1, hasFreeBlock(model.isFree, order), "found if and only if there");
    if (pfn === -1) return;
    assert.ok(isFreeBlock(model.isFree, pfn, order), "the block was free and is aligned");
    model.isFree.fill(false, pfn, pfn + (1 << order));
    model.used.set(pfn, order);
    for (let page = pfn; page < pfn + (1 << order); page = (page + 1) as Pfn) {
      mem.frames.writeWord(page, 0, page);
      assert.deepEqual([mem.flags[page], mem.index[page], mem.private[page]], [0, 0, 0]);
    }
    assertSame(model, mem);
  }

  toString(): string {
    return `alloc(order ${this.order}, type ${this.migratetype})`;
  }
}

class Free implements BuddyCommand {
  private readonly which: number;

  constructor(which: number) {
    this.which = which;
  }

  check({ used }: Readonly<Model>): boolean {
    return used.size > 0;
  }

  run(model: Model, mem: Memory): void {
    const [pfn, order] = [...model.used][this.which % model.used.size];
    model.used.delete(pfn);
    const end = pfn + (1 << order);
    for (let page = pfn; page < end; page++) {
      assert.equal(mem.frames.readWord(page as Pfn, 0), page, "nobody else wrote to the page");
    }
    mem.refcount[pfn] = 0;
    freePages(mem, pfn as Pfn, order);
    model.isFree.fill(true, pfn, end);
    for (let page = pfn; page < end; page++) {
      assert.equal(mem.frames.readWord(page as Pfn, 0), POISON_WORD);
    }
    assertSame(model, mem);
  }

  toString(): string {
    return `free(${this.which})`;
  }
}

test("blocks of any order and type come, go, split and merge as a model of intervals says", () => {
  const orders = fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.nat({ max: MAX_ORDER - 1 }));
  const types = fc.constantFrom(MIGRATE.unmovable, MIGRATE.movable, MIGRATE.reclaimable);
  const commands = fc.commands(
    [
      fc.tuple(orders, types).map(([order, type]) => new Alloc(order, type)),
      fc.nat({ max: 1000 }).map((which) => new Free(which)),
    ],
    { size: "+1", maxCommands: 80 },
  );
  const setup = (): { model: Model; real: Memory } => {
    const isFree = new Array<boolean>(PAGE_COUNT).fill(true);
    isFree[0] = false;
    return { model: { used: new Map(), isFree }, real: smallMemory({ pageCount: PAGE_COUNT }) };
  };
  fc.assert(
    fc.property(commands, (list) => fc.modelRun(setup, list)),
    { numRuns: 150 },
  );
});

/** A memory without free frames, so that a test says what is free. */
function emptyMemory(pageCount: number): Memory {
  return smallMemory({ pageCount, free: "none" });
}

function free(mem: Memory, pfn: number, order: number, migratetype: number): void {
  freeOneBlock(mem, mem.zones[0], pfn as Pfn, order, migratetype);
}

function counts(mem: Memory): Record<number, number> {
  const entries = [...mem.zones[0].freeBlocks].map((count, order) => [order, count] as const);
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}

test("a block splits into halves that stay on the lists of its own type", () => {
  const mem = emptyMemory(1024);
  const [zone] = mem.zones;
  free(mem, 512, 9, MIGRATE.reclaimable);
  assert.equal(takeSmallest(mem, zone, 6, MIGRATE.movable), -1);
  assert.equal(takeSmallest(mem, zone, 6, MIGRATE.reclaimable), 512);
  assert.deepEqual(counts(mem), { 6: 1, 7: 1, 8: 1 });
  for (const order of [6, 7, 8]) {
    const head = (512 + (1 << order)) as Pfn;
    assert.equal(buddyOrder(mem, head), order);
    assert.equal(countFreeBlocks(mem, zone, order, MIGRATE.reclaimable), 1);
  }
});

test("pageblocks of the three usual types merge, and the block takes the type of the last freed", () => {
  const usual = [MIGRATE.unmovable, MIGRATE.movable, MIGRATE.reclaimable];
  for (const left of usual) {
    for (const right of usual) {
      const mem = emptyMemory(2048);
      setPageblockMigratetype(mem, 1024 as Pfn, left);
      setPageblockMigratetype(mem, 1536 as Pfn, right);
      free(mem, 1024, 9, left);
      free(mem, 1536, 9, right);
      assert.deepEqual(counts(mem), { 10: 1 });
      assert.equal(countFreeBlocks(mem, mem.zones[0], 10, right), 1);
    }
  }
});

test("an isolated, CMA or highatomic pageblock merges with its like and with nothing else", () => {
  for (const special of [MIGRATE.highatomic, MIGRATE.cma, MIGRATE.isolate]) {
    for (const other of Object.values(MIGRATE)) {
      const mem = emptyMemory(2048);
      setPageblockMigratetype(mem, 1024 as Pfn, special);
      setPageblockMigratetype(mem, 1536 as Pfn, other);
      free(mem, 1536, 9, other);
      free(mem, 1024, 9, special);
      assert.deepEqual(
        counts(mem),
        other === special ? { 10: 1 } : { 9: 2 },
        `${special} ${other}`,
      );
    }
  }
});

test("below a pageblock two buddies merge whatever lists they are on", () => {
  const mem = emptyMemory(1024);
  free(mem, 512, 0, MIGRATE.movable);
  free(mem, 513, 0, MIGRATE.unmovable);
  assert.deepEqual(counts(mem), { 1: 1 });
  assert.equal(countFreeBlocks(mem, mem.zones[0], 1, MIGRATE.unmovable), 1);
});

test("isolated pages are on a list and do not count as free; CMA pages count twice over", () => {
  const mem = emptyMemory(2048);
  const [zone] = mem.zones;
  free(mem, 512, 3, MIGRATE.isolate);
  assert.deepEqual([zone.freePages, zone.freeCmaPages, zone.freeBlocks[3]], [0, 0, 1]);
  free(mem, 1024, 4, MIGRATE.cma);
  assert.deepEqual([zone.freePages, zone.freeCmaPages], [16, 16]);
  assert.equal(takeSmallest(mem, zone, 2, MIGRATE.cma), 1024);
  assert.deepEqual([zone.freePages, zone.freeCmaPages], [12, 12]);
});

test("a block whose next merge is near goes last on its list, any other first", () => {
  const mem = emptyMemory(1024);
  const [zone] = mem.zones;
  const next = (): number => takeSmallest(mem, zone, 0, MIGRATE.movable);
  free(mem, 600, 0, MIGRATE.movable);
  free(mem, 700, 0, MIGRATE.movable);
  assert.deepEqual([next(), next()], [700, 600], "last in, first out");
  free(mem, 520, 0, MIGRATE.movable);
  free(mem, 514, 1, MIGRATE.movable);
  free(mem, 512, 0, MIGRATE.movable);
  assert.deepEqual([next(), next()], [520, 512], "with 513 the block at 512 would have order 2");
});

test("that a merge is near is asked of the next order, up to the largest block but one", () => {
  const mem = emptyMemory(4096);
  const [zone] = mem.zones;
  free(mem, 700, 1, MIGRATE.movable);
  free(mem, 516, 2, MIGRATE.movable);
  free(mem, 514, 1, MIGRATE.movable);
  assert.equal(takeSmallest(mem, zone, 1, MIGRATE.movable), 700, "512 and 514 are half of 512-519");
  free(mem, 2560, 9, MIGRATE.movable);
  free(mem, 1024, 10, MIGRATE.movable);
  free(mem, 512, 9, MIGRATE.movable);
  assert.equal(takeSmallest(mem, zone, 9, MIGRATE.movable), 512, "there is no order 11");
});

test("a recorded block is placed as it is, its free buddy notwithstanding", () => {
  const mem = emptyMemory(1024);
  placeFreeBlock(mem, mem.zones[0], 512 as Pfn, 0, MIGRATE.movable);
  placeFreeBlock(mem, mem.zones[0], 513 as Pfn, 0, MIGRATE.movable);
  assert.deepEqual(counts(mem), { 0: 2 });
  assert.equal(mem.zones[0].freePages, 2);
  assert.equal(takeSmallest(mem, mem.zones[0], 0, MIGRATE.movable), 513, "last placed, first out");
  placeFreeBlock(mem, mem.zones[0], 514 as Pfn, 1, MIGRATE.movable);
  placeFreeBlock(mem, mem.zones[0], 513 as Pfn, 0, MIGRATE.movable);
  const first = takeSmallest(mem, mem.zones[0], 0, MIGRATE.movable);
  assert.equal(first, 512, "one whose next merge is near comes last, as when it is freed");
});

test("buddies on two sides of a zone's end do not merge", () => {
  const mem = smallMemory({
    pageCount: 1024,
    zones: [
      { startPfn: 0, spanned: 513 },
      { startPfn: 513, spanned: 511 },
    ],
  });
  const [low, high] = mem.zones;
  assert.equal(low.freeBlocks[0], 2, "1 and 512; 513 is the next zone's");
  assert.equal(high.freeBlocks[0], 1);
  assert.equal(low.freePages + high.freePages, 1023);
  assert.equal(mem.zoneOf(512 as Pfn), low);
  assert.equal(mem.zoneOf(513 as Pfn), high);
  for (const zone of [low, high]) {
    const taken = [...Array(zone.freeBlocks[0])].map(() =>
      takeSmallest(mem, zone, 0, MIGRATE.movable),
    );
    for (const pfn of taken) freeOneBlock(mem, zone, pfn, 0, MIGRATE.movable);
    assert.deepEqual([low.freeBlocks[0], high.freeBlocks[0]], [2, 1], "with the other one free");
  }
});

test("a zone's first frame merges as any other", () => {
  const zones = [{ startPfn: 514, spanned: 510 }];
  const mem = smallMemory({ pageCount: 1024, zones, free: "none" });
  free(mem, 514, 0, MIGRATE.movable);
  free(mem, 515, 0, MIGRATE.movable);
  assert.deepEqual(counts(mem), { 1: 1 });
});

test("a scanner gets a free block only while the zone stays above its minimum", () => {
  const zones = [{ startPfn: 0, spanned: 1024, watermarkMin: 511 }];
  const mem = smallMemory({ pageCount: 1024, zones });
  const [zone] = mem.zones;
  assert.equal(zone.freePages, 1023);
  assert.equal(isolateFreeBlock(mem, zone, 512 as Pfn, 9), 0, "1023 > 511 + 512 does not hold");
  assert.ok(pageBuddy(mem, 512 as Pfn), "a refused block stays where it is");
  assert.equal(isolateFreeBlock(mem, zone, 256 as Pfn, 8), 256);
  assert.equal(zone.freePages, 767);
  assert.ok(!pageBuddy(mem, 256 as Pfn));
  assert.equal(mem.refcount[256], 0, "isolated, not yet allocated");
});

test("isolating half a pageblock or more turns the usual types movable and leaves the others", () => {
  for (const type of Object.values(MIGRATE)) {
    const mem = emptyMemory(2048);
    for (const start of [1024, 1536]) setPageblockMigratetype(mem, start as Pfn, type);
    free(mem, 1024, 10, type);
    free(mem, 8, 3, MIGRATE.movable);
    assert.equal(isolateFreeBlock(mem, mem.zones[0], 1024 as Pfn, 10), 1024);
    const isUsual = type < MIGRATE.highatomic;
    for (const start of [1024, 1536]) {
      assert.equal(pageblockMigratetype(mem, start as Pfn), isUsual ? MIGRATE.movable : type);
    }
  }
  const mem = emptyMemory(1024);
  setPageblockMigratetype(mem, 512 as Pfn, MIGRATE.unmovable);
  free(mem, 512, 7, MIGRATE.unmovable);
  free(mem, 768, 8, MIGRATE.unmovable);
  free(mem, 8, 3, MIGRATE.movable);
  isolateFreeBlock(mem, mem.zones[0], 512 as Pfn, 7);
  assert.equal(pageblockMigratetype(mem, 512 as Pfn), MIGRATE.unmovable, "order 7 is too small");
  isolateFreeBlock(mem, mem.zones[0], 768 as Pfn, 8);
  assert.equal(pageblockMigratetype(mem, 512 as Pfn), MIGRATE.movable);
});

test("free blocks of a range move to another type's lists and nothing is counted twice", () => {
  const mem = emptyMemory(1024);
  const [zone] = mem.zones;
  free(mem, 512, 2, MIGRATE.movable);
  free(mem, 600, 0, MIGRATE.reclaimable);
  free(mem, 700, 1, MIGRATE.movable);
  const moved = moveFreePages(mem, zone, 512, 512 + PAGEBLOCK_NR_PAGES / 4, MIGRATE.unmovable);
  assert.equal(moved, 5);
  assert.equal(zone.freePages, 7);
  assert.deepEqual(counts(mem), { 0: 1, 1: 1, 2: 1 });
  const listed = (order: number, type: number): number => countFreeBlocks(mem, zone, order, type);
  assert.deepEqual([listed(2, 0), listed(0, 0), listed(1, 1)], [1, 1, 1]);
  assert.equal(listed(2, 1) + listed(0, 2), 0);
});

test("isolation of a page that heads no free block is a bug", () => {
  const mem = smallMemory({ pageCount: 64 });
  const isolate = (): unknown => isolateFreeBlock(mem, mem.zones[0], 33 as Pfn, 0);
  assert.throws(isolate, /isolation of a page that heads no free block: 33/);
});
