import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../../memory/constants.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import { NO_SECTION, pageblockSkip, setPageblockSkip } from "../../memory/pageblock.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import { runToEnd } from "../../sched/run.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  CompactControl,
  type CompactRequest,
  lastBlockStart,
} from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { FreeScannerTarget } from "./isolate-freepages.ts";

/** Free pages in the first block, where the scanner never comes: room above the watermark. */
const SPARE = 64;

/** A free scanner at the zone's end that is to find `wanted` pages. */
class Scanner {
  readonly cc: CompactControl;
  private readonly target: FreeScannerTarget;
  private readonly src: Folio;

  constructor(made: HandMadeZone, wanted: number, request: Partial<CompactRequest> = {}) {
    const { vm, zone } = made;
    const all = { ...COMPACT_MEMORY, ...request };
    this.cc = new CompactControl(vm, zone, all, COMPACT_SYSCTL_DEFAULTS);
    this.cc.migratePfn = zone.startPfn;
    this.cc.freePfn = lastBlockStart(zone);
    this.cc.migrateCount = wanted;
    this.target = new FreeScannerTarget(this.cc);
    this.src = made.anonymous(made.block(0));
    made.free(made.block(0) + 256, 6);
  }

  take(): number | null {
    return runToEnd(this.target.getNew(this.src));
  }

  giveBack(page: number): void {
    this.target.putNew(page as Folio);
  }
}

/** What the trace tells of the free scanner, each as "block+from-to scanned taken". */
function scans(made: HandMadeZone): string[] {
  return made.trace.lines.flatMap((line) => {
    const found = /isolate_freepages: range=\(0x(\w+) ~ 0x(\w+)\) nr_scanned=(\d+) nr_taken=(\d+)/;
    const [, start, end, scanned, taken] = found.exec(line) ?? [];
    if (start === undefined) return [];
    const at = (pfn: string): number => Number.parseInt(pfn, 16) - made.zone.startPfn;
    const block = Math.floor(at(start) / 512);
    return [`${block}+${at(start) - 512 * block}-${at(end) - 512 * block} ${scanned} ${taken}`];
  });
}

test("pages come from the zone's last block, its lowest free frames first found, handed out last", () => {
  const made = new HandMadeZone(4);
  const last = made.block(3);
  made.free(last + 4, 2);
  made.free(last + 32);
  made.free(last + 100);
  const scanner = new Scanner(made, 5);
  const taken = [0, 1, 2, 3, 4].map(() => scanner.take());
  assert.deepEqual(taken, [last + 32, last + 7, last + 6, last + 5, last + 4]);
  assert.deepEqual(scans(made), ["3+0-33 33 5"], "enough: it stopped there");
  assert.equal(scanner.cc.freePfn, last + 33);
  assert.equal(scanner.take(), last + 100, "and goes on from there when that is used up");
  for (const page of taken) assert.equal(made.mem.refcount[page as Pfn], 1);
});

test("what is given back is handed out next", () => {
  const made = new HandMadeZone(2);
  made.free(made.block(1), 3);
  const scanner = new Scanner(made, 8);
  const page = scanner.take();
  assert.ok(page !== null);
  assert.equal(scanner.cc.pool.count, 7);
  scanner.giveBack(page);
  assert.equal(scanner.cc.pool.count, 8);
  assert.equal(scanner.take(), page);
});

test("isolated pages do not count as free, and what is left over is free again afterwards", () => {
  const made = new HandMadeZone(2);
  const last = made.block(1);
  made.free(last + 64, 5);
  const scanner = new Scanner(made, 1);
  assert.equal(made.zone.freePages, 32 + SPARE);
  const page = scanner.take();
  assert.equal(made.zone.freePages, SPARE);
  assert.equal(made.mem.events.vmstat.snapshot().compact_isolated, 32);
  assert.equal(scanner.cc.release(), last + 94, "the highest of the 31");
  assert.equal(page, last + 95);
  assert.equal(made.zone.freePages, 31 + SPARE);
});

test("a block that yields nothing doubles the stride to 32, and one that yields ends that", () => {
  const made = new HandMadeZone(10);
  made.free(made.block(2));
  made.free(made.block(1) + 7);
  const scanner = new Scanner(made, 2);
  assert.equal(scanner.take(), made.block(1) + 7);
  assert.deepEqual(scans(made), [
    "9+0-512 512 0",
    "8+0-512 256 0",
    "7+0-512 128 0",
    "6+0-512 64 0",
    "5+0-512 32 0",
    "4+0-512 16 0",
    "3+0-512 16 0",
    "2+0-512 16 1",
    "1+0-8 8 1",
  ]);
});

test("an asynchronous scanner begins with every 32nd frame", () => {
  const made = new HandMadeZone(3);
  made.free(made.block(2) + 1);
  made.free(made.block(1) + 64);
  const scanner = new Scanner(made, 1, { mode: "async" });
  assert.equal(scanner.take(), made.block(1) + 64, "the odd one is missed");
  assert.deepEqual(scans(made), ["2+0-512 16 0", "1+0-65 3 1"]);
});

test("a block that was gone through is marked, and the next compaction begins below it", () => {
  const made = new HandMadeZone(4);
  made.free(made.block(2) + 4);
  const scanner = new Scanner(made, 1);
  assert.equal(scanner.take(), made.block(2) + 4);
  const isSkipped = (block: number): boolean => pageblockSkip(made.mem, made.block(block) as Pfn);
  assert.deepEqual([2, 3].map(isSkipped), [false, true]);
  assert.equal(made.zone.compactCachedFreePfn, made.block(3));
});

test("a block that is finished with enough found is left for the one below", () => {
  const made = new HandMadeZone(3);
  made.free(made.block(2) + 511);
  const scanner = new Scanner(made, 1);
  assert.equal(scanner.take(), made.block(2) + 511);
  assert.equal(scanner.cc.freePfn, made.block(1));
});

test("a block with its skip bit is passed by, unless the caller ignores it", () => {
  for (const ignoreSkipHint of [false, true]) {
    const made = new HandMadeZone(3);
    made.free(made.block(2));
    made.free(made.block(1));
    setPageblockSkip(made.mem, made.block(2) as Pfn);
    const scanner = new Scanner(made, 1, { ignoreSkipHint });
    assert.equal(scanner.take(), made.block(ignoreSkipHint ? 2 : 1));
  }
});

test("pages come from movable and CMA blocks, from others only if the caller does not care", () => {
  for (const type of Object.values(MIGRATE)) {
    for (const ignoreBlockSuitable of [false, true]) {
      const made = new HandMadeZone(3);
      made.setType(2, type);
      made.free(made.block(2));
      made.free(made.block(1));
      made.free(made.block(1) + 2);
      const scanner = new Scanner(made, 1, { ignoreBlockSuitable });
      const suits = ignoreBlockSuitable || type === MIGRATE.movable || type === MIGRATE.cma;
      assert.equal(scanner.take(), made.block(suits ? 2 : 1), `type ${type}`);
    }
  }
});

test("a wholly free block stays whole, and a block without memory is none", () => {
  const made = new HandMadeZone(4);
  made.free(made.block(3), 9);
  made.mem.pageblockFlags[made.block(2) >>> 9] = NO_SECTION;
  made.free(made.block(1) + 5);
  const scanner = new Scanner(made, 1);
  assert.equal(scanner.take(), made.block(1) + 5);
  assert.deepEqual(scans(made), ["1+0-6 6 1"], "the stride is as it was");
  assert.equal(made.zone.freeBlocks[9], 1);
});

test("the second half of a free block of order 10 is searched in vain, and doubles the stride", () => {
  const made = new HandMadeZone(5);
  made.free(made.block(3), 9);
  made.free(made.block(4), 9);
  assert.equal(made.zone.freeBlocks[10], 1);
  made.free(made.block(1));
  const scanner = new Scanner(made, 1);
  assert.equal(scanner.take(), made.block(1));
  assert.deepEqual(scans(made), ["4+0-512 512 0", "2+0-512 256 0", "1+0-1 1 1"]);
  assert.equal(made.zone.freeBlocks[10], 1, "it stays whole");
});

test("a compound is stepped over whole", () => {
  const made = new HandMadeZone(2);
  made.cached(made.block(1), { migrateFolio }, 7);
  made.free(made.block(1) + 128);
  const scanner = new Scanner(made, 1);
  assert.equal(scanner.take(), made.block(1) + 128);
  assert.deepEqual(scans(made), ["1+0-129 2 1"]);
});

test("where the zone would fall below its minimum the scanner stops for good", () => {
  const made = new HandMadeZone(3, { watermarkMin: 10 + SPARE });
  const last = made.block(2);
  made.free(last + 8, 2);
  made.free(last + 16, 2);
  made.free(last + 32, 2);
  made.free(made.block(1), 1);
  const scanner = new Scanner(made, 12);
  assert.equal(scanner.take(), null, "14 - 4 is not above 10");
  assert.deepEqual(scans(made), ["2+0-8 9 0"]);
  assert.equal(scanner.cc.freePfn, last + 8);
  assert.equal(made.zone.freePages, 14 + SPARE);
  assert.equal(pageblockSkip(made.mem, last as Pfn), false);
});

test("the scanner stops above the migrate scanner's block, wherever in it that one is", () => {
  const made = new HandMadeZone(3);
  made.free(made.block(0) + 100);
  made.free(made.block(1) + 100);
  const scanner = new Scanner(made, 2);
  scanner.cc.migratePfn = made.block(1) + 7;
  assert.equal(scanner.take(), null);
  assert.deepEqual(scans(made), ["2+0-512 512 0"]);
  assert.equal(scanner.cc.freePfn, made.block(1));
});

test("a cut block at the zone's end is searched as far as the zone goes", () => {
  const made = new HandMadeZone(2, { spanned: 512 + 100 });
  made.free(made.block(1) + 99);
  const scanner = new Scanner(made, 1);
  assert.equal(scanner.take(), made.block(1) + 99);
  assert.deepEqual(scans(made), ["1+0-100 100 1"]);
});
