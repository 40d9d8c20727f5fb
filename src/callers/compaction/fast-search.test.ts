/** The fast search for blocks to empty: when it is made, how far it looks, what it leaves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../../memory/constants.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { listFirst, listIsEnd } from "../../memory/page-list.ts";
import { pageblockSkip, setPageblockSkip } from "../../memory/pageblock.ts";
import { runToEnd } from "../../sched/run.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  CompactControl,
  type CompactRequest,
  FAST_START,
  lastBlockStart,
} from "./control.ts";
import { fastFindMigrateblock } from "./fast-search.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { isolateMigratepages } from "./isolate-migratepages.ts";

/** A direct compaction for a huge page. */
const HUGE: CompactRequest = {
  ...COMPACT_MEMORY,
  order: 9,
  mode: "sync-light",
  wholeZone: false,
  ignoreSkipHint: false,
  direct: true,
};

/** The scanners at the ends of the zone. */
function control(made: HandMadeZone, request: Partial<CompactRequest> = {}): CompactControl {
  const { vm, zone } = made;
  const cc = new CompactControl(vm, zone, { ...HUGE, ...request }, COMPACT_SYSCTL_DEFAULTS);
  cc.migratePfn = zone.startPfn;
  cc.freePfn = lastBlockStart(zone);
  return cc;
}

function find(cc: CompactControl): number {
  return runToEnd(fastFindMigrateblock(cc));
}

/** Frames of the movable free blocks of an order, in the order of the list. */
function listed({ mem, zone }: HandMadeZone, order: number): number[] {
  const list = zone.freeList(order, MIGRATE.movable);
  const pages: number[] = [];
  for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
    pages.push(at);
  }
  return pages;
}

/** Free blocks of an order, each far from its buddies, listed in this order. */
function freeInOrder(made: HandMadeZone, order: number, pages: readonly number[]): void {
  for (const pfn of [...pages].reverse()) made.free(pfn, order);
  assert.deepEqual(listed(made, order), pages);
}

/** What is asked for; where the scanner is, from the zone's start; what comes of it. */
type Row = readonly [string, Partial<CompactRequest>, number, "found" | "in vain" | "not made"];

// biome-ignore format: a table is read by its columns
const SEARCHES: readonly Row[] = [
  ["a huge page",                     {},                                   0,    "found"],
  ["one for kcompactd",               { direct: false },                    0,    "found"],
  ["a block of order 5",              { order: 5 },                         0,    "found"],
  // The only free block is of order 4, and less than what is wanted is looked for.
  ["a block of order 4",              { order: 4 },                         0,    "in vain"],
  ["a block of order 3",              { order: 3 },                         0,    "not made"],
  ["the whole zone",                  { order: -1 },                        0,    "not made"],
  ["one that is not movable",         { migratetype: 0 },                   0,    "not made"],
  ["the same for kcompactd",          { migratetype: 0, direct: false },    0,    "found"],
  ["one that ignores skip bits",      { ignoreSkipHint: true },             0,    "not made"],
  ["from the start of a block",       {},                                   512,  "found"],
  ["from the middle of a block",      {},                                   517,  "not made"],
];

for (const [what, request, offset, outcome] of SEARCHES) {
  test(`a search for ${what}: ${outcome}`, () => {
    const made = new HandMadeZone(32);
    const cc = control(made, request);
    cc.migratePfn += offset;
    made.free(made.block(2) + 32, 4);
    assert.equal(find(cc), outcome === "found" ? made.block(2) : made.zone.startPfn + offset);
    assert.equal(cc.fastSearchFail, outcome === "in vain" ? 1 : 0);
    assert.equal(cc.migrateScanned, outcome === "found" ? 1 : 0);
    assert.equal(pageblockSkip(made.mem, made.block(2) as Pfn), outcome === "found");
    assert.equal(cc.migratePfn, made.zone.startPfn + offset, "the scanner itself stays");
  });
}

test("a zone that begins inside a pageblock is searched from its start, and that is found", () => {
  const startPfn = 512 + 100;
  const made = new HandMadeZone(8, { startPfn, spanned: 8 * 512 - 100 });
  made.free(512 + 256, 4);
  const cc = control(made);
  assert.equal(find(cc), startPfn);
  assert.equal(cc.migrateScanned, 1);
});

test("sources lie in the lower half at the zone's start, and in the lower eighth later", () => {
  for (const [from, block, isFound] of [
    [0, 14, true],
    [0, 15, false],
    [8, 9, true],
    [8, 10, false],
  ] as const) {
    const made = new HandMadeZone(32);
    const cc = control(made);
    cc.migratePfn = made.block(from);
    made.free(made.block(block), 4);
    const expected = isFound ? block : from;
    assert.equal(find(cc), made.block(expected), `from block ${from}, free in block ${block}`);
  }
});

test("larger free blocks are looked at first, and none below the costly orders", () => {
  const made = new HandMadeZone(32);
  made.free(made.block(1) + 16, 2);
  made.free(made.block(3) + 16, 3);
  made.free(made.block(5) + 64, 6);
  made.free(made.block(6) + 64, 7);
  const cc = control(made, { order: 7 });
  assert.deepEqual([find(cc), find(cc)], [made.block(5), made.block(3)]);
  assert.equal(find(cc), cc.migratePfn, "neither the one of order 7 nor that of order 2");
  assert.equal(cc.fastSearchFail, 1);
});

test("what was seen is turned to the end of its list, so that the next search sees others", () => {
  const made = new HandMadeZone(32);
  const [marked, high, third, fourth] = [4, 20, 6, 5].map((block) => made.block(block) + 32);
  freeInOrder(made, 4, [marked, high, third, fourth]);
  setPageblockSkip(made.mem, marked as Pfn);
  const cc = control(made);
  cc.fastSearchFail = 2;
  assert.equal(find(cc), made.block(6));
  assert.deepEqual(listed(made, 4), [fourth, marked, high, third]);
  assert.deepEqual([cc.migrateScanned, cc.fastSearchFail, cc.fastStartPfn], [3, 0, third]);
  assert.equal(find(cc), made.block(5));
  assert.deepEqual([cc.migrateScanned, cc.fastStartPfn], [4, fourth], "the lowest so far");
});

test("a block is chosen once, however many free blocks are in it", () => {
  const made = new HandMadeZone(32);
  freeInOrder(made, 4, [made.block(2) + 32, made.block(2) + 96, made.block(3) + 32]);
  const cc = control(made);
  assert.deepEqual([find(cc), find(cc)], [made.block(2), made.block(3)]);
});

test("a search looks at 33 entries, each that was in vain halves that, and all count as seen", () => {
  const made = new HandMadeZone(32);
  const high = Array.from({ length: 80 }, (_, at) => made.block(16 + (at >> 3)) + (at & 7) * 64);
  freeInOrder(made, 4, high);
  const cc = control(made);
  let seen = 0;
  for (const limit of [33, 17, 9, 5, 3, 2, 1, 1]) {
    find(cc);
    // One more is taken into the hand, and turned to the end with all before it.
    seen += limit + 1;
    assert.equal(cc.migrateScanned, seen);
    assert.equal(listed(made, 4)[0], high[seen % 80]);
  }
  assert.equal(cc.fastSearchFail, 8);
});

test("the limit holds for all lists of a search together", () => {
  const made = new HandMadeZone(32);
  const places = Array.from({ length: 20 }, (_, at) => made.block(16 + (at >> 2)) + (at & 3) * 128);
  for (const pfn of places) made.free(pfn, 5);
  for (const pfn of places) made.free(pfn + 64, 4);
  for (const pfn of places) made.free(pfn + 32, 3);
  const untouched = listed(made, 3);
  const cc = control(made);
  find(cc);
  assert.equal(cc.migrateScanned, 34);
  assert.deepEqual(listed(made, 3), untouched);
});

test("in vain, the scanner goes back once to the lowest free page of what was chosen", () => {
  const made = new HandMadeZone(32);
  const [first, second, third] = [7, 6, 5].map((block) => made.block(block) + 32);
  freeInOrder(made, 4, [first, third, second]);
  const cc = control(made);
  const chosen = [find(cc), find(cc), find(cc)];
  assert.deepEqual(chosen, [made.block(7), made.block(5), made.block(6)]);
  cc.migratePfn = made.block(8);
  assert.equal(find(cc), third);
  assert.deepEqual([cc.migratePfn, cc.fastStartPfn], [third, FAST_START.used]);
  cc.migratePfn = made.block(9);
  assert.equal(find(cc), made.block(9), "and not again");
  made.free(made.block(10) + 32, 4);
  assert.equal(find(cc), made.block(10), "found after all");
  assert.equal(cc.fastStartPfn, FAST_START.used);
});

test("a chosen block's own bit ends its scan at the first page, as in 6.1: the round is empty", () => {
  const made = new HandMadeZone(32);
  made.free(made.block(2) + 32, 4);
  made.anonymous(made.block(2));
  made.anonymous(made.block(2) + 100);
  const cc = control(made);
  assert.equal(runToEnd(isolateMigratepages(cc)), "none");
  assert.equal(cc.migrateCount, 0);
  assert.equal(cc.migratePfn, made.block(3));
  assert.deepEqual(made.compactionTrace, [
    "mm_compaction_isolate_migratepages: range=(0x600 ~ 0x800) nr_scanned=1 nr_taken=0",
  ]);
});
