/** The fast search for pages to move to: which free block it takes, and what it leaves behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../../memory/constants.ts";
import type { PageList, Pfn } from "../../memory/memmap.ts";
import { listFirst, listIsEnd } from "../../memory/page-list.ts";
import { pageblockSkip } from "../../memory/pageblock.ts";
import { runToEnd } from "../../sched/run.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  CompactControl,
  type CompactRequest,
  lastBlockStart,
} from "./control.ts";
import { fastIsolateFreepages } from "./fast-isolate-freepages.ts";
import { HandMadeZone } from "./hand-made-zone.ts";

const SPARE_ORDER = 6;
const SPARE = 64;

/** A zone of 33 blocks. "Good" are blocks 24 and up, "will do" 16 and up: see `Search`. */
class Scene {
  readonly made: HandMadeZone;
  readonly cc: CompactControl;
  readonly blocks: PageList;

  constructor(request: Partial<CompactRequest> = {}, watermarkMin = 0) {
    this.made = new HandMadeZone(33, { watermarkMin });
    const { vm, zone } = this.made;
    const all = { ...COMPACT_MEMORY, order: 9, mode: "sync-light" as const, direct: true };
    const settings = COMPACT_SYSCTL_DEFAULTS;
    this.cc = new CompactControl(vm, zone, { ...all, ...request }, settings);
    this.cc.migratePfn = zone.startPfn;
    this.cc.freePfn = lastBlockStart(zone);
    // The free scanner has come from the end of the zone: this is not its first search.
    zone.compactInitFreePfn = zone.endPfn;
    zone.compactCachedFreePfn = this.cc.freePfn;
    this.blocks = vm.mem.takeList();
    // Room above the watermark, on no list that is searched.
    this.made.setType(0, MIGRATE.unmovable);
    this.free(0, SPARE_ORDER);
  }

  /** Searches for so many pages; how many there are. */
  take(wanted: number): number {
    return runToEnd(fastIsolateFreepages(this.cc, this.blocks, wanted));
  }

  /** The zone has not been searched before. */
  startOver(): void {
    this.made.zone.compactInitFreePfn = this.cc.freePfn;
  }

  /** A free block of an order in block `index`; its first frame. */
  free(index: number, order: number, offset = 64): number {
    const pfn = this.made.block(index) + offset;
    this.made.free(pfn, order);
    return pfn;
  }

  /** Free blocks that were taken, in order. */
  get taken(): number[] {
    return this.frames(this.blocks);
  }

  listed(order: number): number[] {
    return this.frames(this.made.zone.freeList(order, MIGRATE.movable));
  }

  private frames(list: PageList): number[] {
    const { mem } = this.made;
    const pages: number[] = [];
    for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
      pages.push(at);
    }
    return pages;
  }
}

test("a block of the top quarter is taken whole, and its pages are out of the lists", () => {
  const scene = new Scene();
  const pfn = scene.free(24, 5);
  assert.equal(scene.take(32), 32);
  assert.deepEqual([scene.taken, scene.made.mem.private[pfn]], [[pfn], 5]);
  assert.equal(scene.made.zone.freePages, SPARE);
  assert.deepEqual(
    [scene.cc.freeScanned, scene.cc.fastSearchFail, scene.cc.searchOrder],
    [32, 0, 5],
  );
  assert.equal(scene.made.mem.events.vmstat.snapshot().compact_isolated, 32);
});

test("the top quarter and the top half begin with a pageblock", () => {
  for (const [index, taken] of [
    [24, 1],
    [23, 1],
    [16, 1],
    [15, 0],
  ]) {
    const scene = new Scene();
    scene.free(index, 0, 0);
    assert.equal(scene.take(1), taken, `block ${index}`);
  }
});

test("the first good entry from the end of the list is taken before a better one", () => {
  const scene = new Scene();
  const [last, , first] = [scene.free(25, 3), scene.free(31, 3), scene.free(27, 3)];
  assert.deepEqual(scene.listed(3), [first, scene.made.block(31) + 64, last]);
  assert.equal(scene.take(8), 8);
  assert.deepEqual(scene.taken, [last]);
});

test("of those that will do the highest is taken, if no good one comes soon", () => {
  const scene = new Scene();
  for (const index of [17, 21, 18]) scene.free(index, 3);
  assert.equal(scene.take(8), 8);
  assert.deepEqual(scene.taken, [scene.made.block(21) + 64]);
});

test("each that will do, and is the highest so far, halves how much longer is searched", () => {
  const scene = new Scene();
  // Sixteen entries at first; after the first eight, after the second and higher one four.
  const entries = [16, 17, 2, 3, 25];
  for (const index of entries) scene.free(index, 3);
  assert.equal(scene.take(8), 8);
  assert.deepEqual(scene.taken, [scene.made.block(17) + 64], "the fifth was not looked at");
  assert.equal(scene.cc.freeScanned, 4 + 7);
});

test("orders are searched from the one that gave last, downwards and round", () => {
  const scene = new Scene();
  const asked: number[] = [];
  const { zone } = scene.made;
  const freeList = zone.freeList.bind(zone);
  zone.freeList = (order, type) => {
    asked.push(order);
    return freeList(order, type);
  };
  // Free, but out of reach: every list is looked at, and none gives.
  for (let order = 0; order < 9; order++) scene.free(1 + order, order, 256);
  asked.length = 0;
  scene.take(1);
  assert.deepEqual(asked, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
  assert.equal(scene.cc.searchOrder, 7, "the next search begins one lower");
  asked.length = 0;
  scene.take(1);
  assert.deepEqual(asked, [7, 6, 5, 4, 3, 2, 1, 0, 8]);
  assert.deepEqual([scene.cc.searchOrder, scene.cc.fastSearchFail], [6, 2]);
  scene.free(28, 2, 304);
  assert.equal(scene.take(1), 4);
  assert.deepEqual([scene.cc.searchOrder, scene.cc.fastSearchFail], [2, 0]);
});

test("orders as large as what is wanted are not searched", () => {
  const scene = new Scene({ order: 4 });
  scene.free(28, 4);
  assert.equal(scene.take(1), 0);
  scene.free(27, 3);
  assert.equal(scene.take(1), 8);
});

test("what was seen in vain is turned to the far end: the next search sees others", () => {
  const scene = new Scene();
  const low = Array.from({ length: 20 }, (_, at) => scene.free(1 + (at >> 2), 0, 2 * (at & 3)));
  const order = scene.listed(0);
  assert.deepEqual([...order].reverse(), low);
  assert.equal(scene.take(1), 0);
  assert.equal(scene.cc.freeScanned, 16);
  // The last that was looked at comes first; those not looked at come last.
  assert.deepEqual(scene.listed(0), [...order.slice(4), ...order.slice(0, 4)]);
});

test("a good one's list is turned, too: what was seen before it comes first", () => {
  const scene = new Scene();
  const [low, lower, , unseen] = [2, 1, 25, 3].map((index) => scene.free(index, 3));
  assert.equal(scene.take(8), 8);
  assert.deepEqual(scene.taken, [scene.made.block(25) + 64]);
  assert.deepEqual(scene.listed(3), [lower, low, unseen]);
});

test("a list that takes all that may be looked at halves it for the next list", () => {
  const scene = new Scene();
  for (let at = 0; at < 20; at++) {
    scene.free(1 + (at >> 2), 1, 8 * (at & 3));
    scene.free(1 + (at >> 2), 0, 4 + 8 * (at & 3));
  }
  assert.equal(scene.take(1), 0);
  assert.equal(scene.cc.freeScanned, 16 + 8);
});

test("a search that failed makes the next shorter, down to one entry", () => {
  const scene = new Scene();
  for (let at = 0; at < 40; at++) scene.free(1 + (at >> 3), 0, 2 * (at & 7));
  const seen: number[] = [];
  for (let search = 0; search < 6; search++) {
    const before = scene.cc.freeScanned;
    scene.take(1);
    seen.push(scene.cc.freeScanned - before);
  }
  assert.deepEqual(seen, [16, 8, 4, 2, 1, 1]);
});

test("the first search of a zone looks at half a pageblock of entries", () => {
  const scene = new Scene({ direct: false });
  scene.startOver();
  for (let at = 0; at < 300; at++) scene.free(1 + (at >> 7), 0, 2 * (at & 127));
  scene.take(1);
  assert.equal(scene.cc.freeScanned, 256);
});

test("in vain at the zone's start, the scan begins at the best block seen, or in the middle", () => {
  for (const [request, index, begins] of [
    [{}, 12, 16],
    [{ direct: false }, 12, 32],
  ] as const) {
    const scene = new Scene(request);
    scene.startOver();
    scene.free(index, 3);
    assert.equal(scene.take(8), 0);
    assert.equal(scene.cc.freePfn, scene.made.block(begins), JSON.stringify(request));
    assert.equal(scene.cc.fastSearchFail, 1);
  }
  const scene = new Scene();
  scene.free(12, 3);
  assert.equal(scene.take(8), 0);
  assert.equal(scene.cc.freePfn, scene.made.block(32), "later searches leave the scanner alone");
});

test("where the watermark forbids what was found, the scan begins there at the zone's start", () => {
  for (const index of [16, 20]) {
    const scene = new Scene({ direct: false }, SPARE);
    scene.startOver();
    scene.free(index, 3);
    assert.equal(scene.take(8), 0);
    assert.equal(scene.cc.freePfn, scene.made.block(index));
  }
});

test("the middle's own free pages are taken at once by the scan around it", () => {
  const scene = new Scene();
  scene.startOver();
  // Of the kind that no list of movable pages has.
  scene.made.setType(16, MIGRATE.unmovable);
  const pfn = scene.free(16, 3);
  scene.free(2, 0);
  assert.equal(scene.take(8), 8);
  assert.deepEqual(scene.taken, [pfn]);
});

test("a synchronous compaction takes the rest of the pageblock along, as far as it needs it", () => {
  for (const [request, wanted, offsets, isSkipped] of [
    [{}, 8, [64], false],
    [{}, 9, [64, 0], false],
    [{}, 11, [64, 0, 32], false],
    [{}, 20, [64, 0, 32, 128], true],
    [{ direct: false, mode: "async" }, 20, [64, 0, 32, 128], true],
    [{ mode: "async" }, 20, [64], false],
  ] as const) {
    const scene = new Scene(request);
    for (const [offset, order] of [
      [0, 1],
      [32, 0],
      [64, 3],
      [128, 0],
    ]) {
      scene.free(26, order, offset);
    }
    scene.take(wanted);
    const block = scene.made.block(26);
    const expected = offsets.map((offset) => block + offset);
    assert.deepEqual(scene.taken, expected, `${wanted} for ${JSON.stringify(request)}`);
    assert.equal(pageblockSkip(scene.made.mem, block as Pfn), isSkipped);
  }
});

test("where the zone would fall below its minimum the search ends with nothing", () => {
  // Enough for the smaller block alone, which is not looked at any more.
  const scene = new Scene({}, SPARE + 12 - 6);
  scene.free(26, 3);
  scene.free(27, 2);
  assert.equal(scene.take(8), 0);
  assert.deepEqual([scene.taken, scene.made.zone.freePages], [[], SPARE + 12]);
  assert.equal(scene.cc.fastSearchFail, 1);
});

test("free pages at or above the cached position move it to the block below theirs", () => {
  const scene = new Scene();
  const { zone } = scene.made;
  zone.compactCachedFreePfn = scene.made.block(26);
  scene.free(27, 3);
  scene.take(8);
  assert.equal(zone.compactCachedFreePfn, scene.made.block(26));
  zone.compactCachedFreePfn = scene.made.block(28);
  scene.free(26, 3);
  scene.take(8);
  assert.equal(zone.compactCachedFreePfn, scene.made.block(28), "below it they say nothing");
});
