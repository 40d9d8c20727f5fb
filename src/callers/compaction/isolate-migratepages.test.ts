import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../../memory/constants.ts";
import { folioTrylock } from "../../memory/folio-lock.ts";
import { folioGet, folioTryPin } from "../../memory/folio-ref.ts";
import { folioAddLru, folioIsolateLru } from "../../memory/lru.ts";
import { lruLink, lruUnlink } from "../../memory/lru-list.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listFirst, listIsEnd } from "../../memory/page-list.ts";
import { NO_SECTION, pageblockSkip, setPageblockSkip } from "../../memory/pageblock.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import { ISOLATE } from "../../pagecache/movable-operations.ts";
import type { Steps } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  CompactControl,
  type CompactMode,
  type CompactRequest,
  type CompactSysctl,
  lastBlockStart,
} from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { type IsolateOutcome, isolateMigratepages } from "./isolate-migratepages.ts";

const MOVES = { migrateFolio };

/** One call of the scanner from `from` on, with the free scanner in the last block. */
interface Scan {
  readonly cc: CompactControl;
  readonly outcome: IsolateOutcome;
  /** Isolated, the last found first. */
  readonly taken: number[];
}

function scan(
  made: HandMadeZone,
  request: Partial<CompactRequest> = {},
  from = made.zone.startPfn,
  sysctl: Partial<CompactSysctl> = {},
): Scan {
  const { vm, mem, zone } = made;
  const all = { ...COMPACT_SYSCTL_DEFAULTS, ...sysctl };
  const cc = new CompactControl(vm, zone, { ...COMPACT_MEMORY, ...request }, all);
  cc.migratePfn = from;
  cc.freePfn = lastBlockStart(zone);
  const outcome = runToEnd(isolateMigratepages(cc));
  const taken: number[] = [];
  const list = cc.migratepages;
  for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn)
    taken.push(at);
  return { cc, outcome, taken };
}

const MODES: readonly CompactMode[] = ["async", "sync-light", "sync"];

/** What stands in a frame beside two plain pages, and in which modes it is taken. */
interface Row {
  readonly what: string;
  readonly put: (made: HandMadeZone, pfn: number) => void;
  readonly takenIn: readonly CompactMode[];
  readonly sysctl?: Partial<CompactSysctl>;
}

function flagged(made: HandMadeZone, pfn: number, flags: number): Folio {
  const folio = made.anonymous(pfn);
  made.mem.flags[folio] |= flags;
  return folio;
}

function unevictable(made: HandMadeZone, pfn: number): void {
  const { mem } = made;
  const folio = made.anonymous(pfn);
  mem.flags[folio] &= ~PG.lru;
  lruUnlink(mem, folio);
  mem.flags[folio] |= PG.mlocked | PG.unevictable;
  lruLink(mem, folio, "head");
}

const ROWS: readonly Row[] = [
  { what: "an anonymous page", put: (made, pfn) => made.anonymous(pfn), takenIn: MODES },
  { what: "a file's page", put: (made, pfn) => made.cached(pfn, MOVES), takenIn: MODES },
  { what: "the kernel's page", put: () => {}, takenIn: [] },
  {
    what: "a page that somebody else has isolated",
    put(made, pfn) {
      assert.ok(folioIsolateLru(made.mem, made.anonymous(pfn)));
    },
    takenIn: [],
  },
  {
    what: "a page in a batch on its way to the LRU",
    put(made, pfn) {
      const folio = made.anonymous(pfn);
      assert.ok(folioIsolateLru(made.mem, folio));
      folioAddLru(made.mem, folio);
    },
    takenIn: [],
  },
  {
    what: "a page on the LRU that is being freed",
    put(made, pfn) {
      made.mem.refcount[made.anonymous(pfn)] = 0;
    },
    takenIn: [],
  },
  {
    what: "an anonymous page with more references than mappings",
    put: (made, pfn) => folioTryPin(made.mem, made.anonymous(pfn)),
    takenIn: [],
  },
  {
    what: "a file's page with more references than it should have",
    put: (made, pfn) => folioTryPin(made.mem, made.cached(pfn, MOVES)),
    takenIn: MODES,
  },
  { what: "a page kept by mlock", put: unevictable, takenIn: MODES },
  {
    what: "a page kept by mlock that the sysctl forbids",
    put: unevictable,
    takenIn: [],
    sysctl: { "vm.compact_unevictable_allowed": 0 },
  },
  {
    what: "a page under writeback",
    put: (made, pfn) => flagged(made, pfn, PG.writeback),
    takenIn: ["sync"],
  },
  {
    what: "a dirty anonymous page",
    put: (made, pfn) => flagged(made, pfn, PG.dirty),
    takenIn: MODES,
  },
  {
    what: "a dirty page whose owner can move it",
    put(made, pfn) {
      made.mem.flags[made.cached(pfn, MOVES)] |= PG.dirty;
    },
    takenIn: MODES,
  },
  {
    what: "a dirty page whose owner cannot move it",
    put(made, pfn) {
      made.mem.flags[made.cached(pfn, {})] |= PG.dirty;
    },
    takenIn: ["sync"],
  },
  {
    what: "a clean page whose owner cannot move it",
    put: (made, pfn) => made.cached(pfn, {}),
    takenIn: MODES,
  },
  {
    what: "a dirty page that somebody has locked",
    put: (made, pfn) => folioTrylock(made.mem, flagged(made, pfn, PG.dirty)),
    takenIn: ["sync"],
  },
  {
    what: "a clean page that somebody has locked",
    put: (made, pfn) => folioTrylock(made.mem, made.anonymous(pfn)),
    takenIn: MODES,
  },
  {
    what: "a page that its driver wants to keep",
    put(made, pfn) {
      made.driverPage(pfn).isWilling = false;
    },
    takenIn: [],
  },
  {
    what: "a page of a driver that somebody else has isolated",
    put(made, pfn) {
      made.driverPage(pfn);
      made.mem.flags[pfn] |= PG.isolated;
    },
    takenIn: [],
  },
  {
    what: "a page that its driver has let go of and that somebody holds",
    put(made, pfn) {
      const driver = made.driverPage(pfn);
      folioGet(made.mem, pfn as Folio);
      runToEnd(driver.free(1));
    },
    takenIn: [],
  },
  {
    what: "a large folio",
    put: (made, pfn) => made.cached(pfn, MOVES, 2),
    takenIn: [],
  },
];

for (const { what, put, takenIn, sysctl } of ROWS) {
  const where = takenIn.length === 0 ? "passed over" : `taken in ${takenIn.join(", ")}`;
  test(`${what} is ${where}`, () => {
    for (const mode of MODES) {
      const made = new HandMadeZone(2);
      const pfn = made.block(0) + 8;
      made.anonymous(pfn - 1);
      put(made, pfn);
      made.anonymous(pfn + 4);
      const { mem } = made;
      const before = [mem.refcount[pfn], mem.flags[pfn]];
      const { taken, cc } = scan(made, { mode }, undefined, sysctl);
      const isTaken = takenIn.includes(mode);
      const expected = isTaken ? [pfn + 4, pfn, pfn - 1] : [pfn + 4, pfn - 1];
      assert.deepEqual(taken, expected, mode);
      assert.equal(cc.migrateCount, expected.length);
      const after = isTaken ? [before[0] + 1, before[1] & ~PG.lru] : before;
      assert.deepEqual([mem.refcount[pfn], mem.flags[pfn]], after, mode);
    }
  });
}

test("a driver's page is taken in every mode, off its list and in no class of isolated pages", () => {
  for (const mode of MODES) {
    const made = new HandMadeZone(2);
    const { mem } = made;
    const pfn = made.block(0) + 8;
    const anon = made.anonymous(pfn - 1);
    const driver = made.driverPage(pfn);
    const { outcome, taken, cc } = scan(made, { mode });
    assert.equal(outcome, "success");
    assert.deepEqual([taken, cc.migrateCount], [[pfn, anon], 2]);
    assert.deepEqual([mem.refcount[pfn], mem.flags[pfn]], [2, PG.isolated]);
    assert.deepEqual([...mem.nodes[0].isolatedPages], [1, 0]);
    assert.equal(driver.isolated, 1);
    assert.match(made.compactionTrace[0], /nr_taken=2$/);
  }
});

test("a driver is told whether the move may wait, and whether mlocked pages are wanted too", () => {
  const seen: number[][] = [];
  for (const allowed of [0, 1]) {
    seen.push([]);
    for (const mode of MODES) {
      const made = new HandMadeZone(2);
      made.driverPage(made.block(0) + 8, {
        *isolatePage(_mem, _page, isolateMode): Steps<boolean> {
          yield "driver-asked";
          seen.at(-1)?.push(isolateMode);
          return false;
        },
      });
      scan(made, { mode }, undefined, { "vm.compact_unevictable_allowed": allowed });
    }
  }
  const { asyncMigrate, unevictable } = ISOLATE;
  assert.deepEqual(seen, [
    [asyncMigrate, asyncMigrate, 0],
    [asyncMigrate | unevictable, asyncMigrate | unevictable, unevictable],
  ]);
});

test("what is isolated is off the LRU, held, counted by class, and last found first", () => {
  const made = new HandMadeZone(2);
  const { mem } = made;
  const start = made.block(0);
  const anon = made.anonymous(start + 3);
  const file = made.cached(start + 5, MOVES);
  const { outcome, taken } = scan(made);
  assert.equal(outcome, "success");
  assert.deepEqual(taken, [file, anon]);
  assert.deepEqual([...mem.nodes[0].isolatedPages], [1, 1]);
  assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 0, 0, 0]);
  assert.deepEqual([mem.refcount[anon], mem.refcount[file]], [2, 2]);
  assert.equal(mem.events.vmstat.snapshot().compact_isolated, 2);
});

test("a free block and a compound are stepped over whole and count as one frame looked at", () => {
  const made = new HandMadeZone(2);
  const start = made.block(0);
  made.free(start, 7);
  made.cached(start + 256, MOVES, 6);
  made.anonymous(start + 128);
  const { taken, cc } = scan(made);
  assert.deepEqual(taken, [start + 128]);
  assert.equal(cc.migrateScanned, 512 - 127 - 63);
  assert.deepEqual(made.compactionTrace, [
    "mm_compaction_isolate_migratepages: range=(0x200 ~ 0x400) nr_scanned=322 nr_taken=1",
  ]);
});

test("32 folios make a round, the next begins behind them, and the rest of a block comes whole", () => {
  const made = new HandMadeZone(2);
  const start = made.block(0);
  for (let at = 0; at < 100; at++) made.anonymous(start + 2 * at);
  const first = scan(made);
  assert.equal(first.taken.length, 32);
  assert.equal(first.cc.migratePfn, start + 63);
  runToEnd(putbackMovablePages(made.vm, first.cc.migratepages));
  const second = scan(made, {}, start + 63);
  assert.deepEqual([second.taken.length, second.cc.migratePfn], [32, start + 127]);
  runToEnd(putbackMovablePages(made.vm, second.cc.migratepages));

  const { vm, mem, zone } = made;
  const cc = new CompactControl(vm, zone, COMPACT_MEMORY, COMPACT_SYSCTL_DEFAULTS);
  cc.migratePfn = start + 127;
  cc.freePfn = lastBlockStart(zone);
  cc.rescan = true;
  runToEnd(isolateMigratepages(cc));
  assert.equal(cc.migrateCount, 36);
  assert.equal(cc.migratePfn, start + 512);
  assert.ok(pageblockSkip(mem, start as Pfn) === false, "it began in the middle of the block");
});

test("one call goes through one block that may have folios, found or not", () => {
  const made = new HandMadeZone(4);
  made.anonymous(made.block(1));
  const first = scan(made);
  assert.equal(first.outcome, "none");
  assert.equal(first.cc.migratePfn, made.block(1));
  const second = scan(made, {}, made.block(1));
  assert.deepEqual([second.outcome, second.taken], ["success", [made.block(1)]]);
});

test("the scanner never goes into the free scanner's block", () => {
  const made = new HandMadeZone(2);
  made.anonymous(made.block(1));
  const { outcome, cc } = scan(made, {}, made.block(1));
  assert.equal(outcome, "none");
  assert.equal(cc.migrateScanned, 0);
  assert.deepEqual(made.compactionTrace, []);
});

test("a block that begins with a huge folio is no source, nor one without memory", () => {
  const made = new HandMadeZone(4);
  made.cached(made.block(0), MOVES, 9);
  made.mem.pageblockFlags[made.block(1) >>> 9] = NO_SECTION;
  made.anonymous(made.block(2) + 1);
  const { taken, cc } = scan(made);
  assert.deepEqual(taken, [made.block(2) + 1]);
  assert.equal(cc.migrateScanned, 512);
});

test("only an asynchronous direct compaction asks for the type of the block", () => {
  const cases: readonly (readonly [Partial<CompactRequest>, number, boolean])[] = [
    [{ mode: "async", direct: true, order: 3 }, MIGRATE.unmovable, false],
    [{ mode: "async", direct: true, order: 3 }, MIGRATE.movable, true],
    [{ mode: "async", direct: true, order: 3 }, MIGRATE.cma, true],
    [{ mode: "async", direct: true, order: 3, migratetype: 2 }, MIGRATE.movable, false],
    [{ mode: "async", direct: true, order: 3, migratetype: 2 }, MIGRATE.reclaimable, true],
    [{ mode: "async", direct: true, order: 3, migratetype: 0 }, MIGRATE.cma, false],
    [{ mode: "async" }, MIGRATE.unmovable, true],
    [{ mode: "sync-light", direct: true, order: 3 }, MIGRATE.unmovable, true],
    [{ mode: "sync" }, MIGRATE.reclaimable, true],
  ];
  for (const [request, type, isSource] of cases) {
    const made = new HandMadeZone(2);
    made.setType(0, type);
    for (let at = 0; at < 8; at++) made.anonymous(made.block(0) + at);
    const { taken } = scan(made, request);
    assert.equal(taken.length > 0, isSource, `${JSON.stringify(request)} in type ${type}`);
  }
});

test("a block with its skip bit is passed by, unless the caller ignores it or is in its middle", () => {
  const cases: readonly (readonly [Partial<CompactRequest>, number, boolean])[] = [
    [{ ignoreSkipHint: false }, 0, false],
    [{ ignoreSkipHint: false }, 2, true],
    [{ ignoreSkipHint: true }, 0, true],
  ];
  for (const [request, offset, isTaken] of cases) {
    const made = new HandMadeZone(2);
    made.anonymous(made.block(0) + 8);
    setPageblockSkip(made.mem, made.block(0) as Pfn);
    const { taken } = scan(made, request, made.block(0) + offset);
    assert.equal(taken.length === 1, isTaken);
  }
});

test("a block that gave nothing is marked, and the cached positions go on, a block further still", () => {
  for (const [mode, cached] of [
    ["async", [1536, 512]],
    ["sync-light", [1536, 1536]],
    ["sync", [1536, 1536]],
  ] as const) {
    const made = new HandMadeZone(2);
    scan(made, { mode });
    assert.equal(pageblockSkip(made.mem, made.block(0) as Pfn), true);
    assert.deepEqual([...made.zone.compactCachedMigratePfn], cached, mode);
  }
  const found = new HandMadeZone(2);
  found.anonymous(found.block(0));
  scan(found);
  assert.equal(pageblockSkip(found.mem, found.block(0) as Pfn), false);
  assert.deepEqual([...found.zone.compactCachedMigratePfn], [512, 512]);
});

test("the cached positions never go back", () => {
  const made = new HandMadeZone(4);
  made.zone.compactCachedMigratePfn.fill(made.block(3));
  scan(made);
  assert.deepEqual([...made.zone.compactCachedMigratePfn], [made.block(3), made.block(3)]);
});

test("for a block of an order, one page that stays gives up the aligned block around it", () => {
  const direct = { mode: "async", direct: true, order: 3 } as const;
  const made = new HandMadeZone(2);
  const start = made.block(0);
  for (const at of [0, 1, 2]) made.anonymous(start + at);
  // The kernel has the fourth: all that was taken goes back, and the rest is not looked at.
  for (const at of [8, 9]) made.anonymous(start + at);
  made.free(start + 10, 1);
  made.free(start + 12, 2);
  const { taken, cc } = scan(made, direct);
  assert.deepEqual(taken, [start + 9, start + 8], "a block that can become free");
  assert.equal(cc.migratePfn, start + 16, "and no further: it may be enough");
  assert.equal(cc.migrateScanned, 4 + 4, "0, 1, 2, 3; 8, 9, 10, 12");
  assert.equal(made.mem.nodes[0].isolatedPages[0], 2);
});

test("an asynchronous scanner gives up while too much is isolated, with all that it found", () => {
  const made = new HandMadeZone(2);
  made.anonymous(made.block(0));
  made.mem.nodes[0].isolatedPages[1] = 1;
  const { outcome, cc } = scan(made, { mode: "async" });
  assert.equal(outcome, "abort");
  assert.equal(cc.migrateScanned, 0);
  assert.throws(() => scan(made, { mode: "sync" }), /would sleep on: too many isolated pages/);
});
