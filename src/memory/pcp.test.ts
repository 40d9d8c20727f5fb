import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countFreeBlocks, freeOneBlock } from "./buddy.ts";
import { MIGRATE, type Migratetype } from "./constants.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { allocPages } from "./page-alloc.ts";
import { freePages } from "./page-free.ts";
import { listFirst, listIsEnd, listLength } from "./page-list.ts";
import { setPageblockMigratetype } from "./pageblock.ts";
import { drainAllPages, drainPcp, freeToPcp, pcpAllowedOrder, takeFromPcp } from "./pcp.ts";
import { smallMemory } from "./small-memory.ts";
import type { PerCpuPages } from "./zone.ts";

const { unmovable, movable, reclaimable, highatomic, cma, isolate } = MIGRATE;

/** Block 1 (frames 512 to 1023) is the tests'; nothing is free. */
function emptyMemory(high: number, batch: number, cpus = 1): Memory {
  return smallMemory({
    pageCount: 2048,
    zones: [{ startPfn: 0, spanned: 2048, pcp: { high, batch } }],
    nodeOfCpu: new Array<number>(cpus).fill(0),
    free: "none",
  });
}

/** Frees every other frame from `first` on, so that nothing merges. */
function freeSingles(mem: Memory, first: number, count: number): void {
  for (let at = 0; at < count; at++) freeToPcp(mem, (first + 2 * at) as Pfn, 0);
}

function pcpOf(mem: Memory): PerCpuPages {
  return mem.zones[0].pcp[mem.cpu];
}

/** Blocks on each of a processor's lists, the empty ones left out. */
function lengths(mem: Memory, pcp: PerCpuPages): number[] {
  return pcp.lists.map((list) => listLength(mem, list)).filter((length) => length > 0);
}

test("orders 0 to 3 and the order of a pageblock have per-CPU lists", () => {
  const allowed = Array.from({ length: 11 }, (_, order) => order).filter(pcpAllowedOrder);
  assert.deepEqual(allowed, [0, 1, 2, 3, 9]);
});

test("a freed page is handed out next, and is not free to anyone else until it is drained", () => {
  const mem = emptyMemory(64, 8);
  const [zone] = mem.zones;
  freeToPcp(mem, 600 as Pfn, 0);
  freeToPcp(mem, 601 as Pfn, 0);
  assert.equal(zone.freePages, 0);
  assert.equal(takeFromPcp(mem, zone, 0, movable), 601);
  freeToPcp(mem, 601 as Pfn, 0);
  drainPcp(mem, zone, 0);
  assert.equal(pcpOf(mem).count, 0);
  assert.equal(zone.freePages, 2);
  assert.equal(zone.freeBlocks[1], 1, "only now 600 and 601 merge");
});

test("what goes back grows with frees that follow frees, and leaves a batch on the lists", () => {
  const mem = emptyMemory(16, 4);
  const pcp = pcpOf(mem);
  freeSingles(mem, 512, 15);
  assert.equal(pcp.count, 15, "below high nothing goes back");
  freeSingles(mem, 542, 1);
  assert.deepEqual([pcp.count, pcp.freeFactor], [12, 1], "one batch of 4");
  freeSingles(mem, 544, 4);
  assert.deepEqual([pcp.count, pcp.freeFactor], [8, 2], "8");
  freeSingles(mem, 552, 8);
  assert.deepEqual([pcp.count, pcp.freeFactor], [4, 2], "16 would be too many: high - batch");
  takeFromPcp(mem, mem.zones[0], 0, movable);
  assert.equal(pcp.freeFactor, 1, "an allocation halves the zeal");
});

test("the oldest pages go back first", () => {
  const mem = emptyMemory(8, 2);
  const [zone] = mem.zones;
  freeSingles(mem, 512, 8);
  assert.equal(zone.freePages, 2);
  assert.equal(countFreeBlocks(mem, zone, 0, movable), 2);
  const list = zone.freeList(0, movable);
  assert.equal(listFirst(mem, list), 514);
  assert.equal(mem.next[514], 512);
});

test("lists give back in turn, beginning with the one that was added to", () => {
  const mem = emptyMemory(6, 3);
  const [zone] = mem.zones;
  setPageblockMigratetype(mem, 1024 as Pfn, unmovable);
  setPageblockMigratetype(mem, 1536 as Pfn, reclaimable);
  freeSingles(mem, 1024, 2);
  freeSingles(mem, 512, 1);
  freeSingles(mem, 1536, 3);
  assert.equal(zone.freePages, 3);
  assert.equal(countFreeBlocks(mem, zone, 0, reclaimable), 3, "the list of the last freed page");
  freeSingles(mem, 514, 3);
  assert.deepEqual(lengths(mem, pcpOf(mem)), [2, 1], "three movable pages went back");
  drainPcp(mem, zone, 0);
  assert.deepEqual(lengths(mem, pcpOf(mem)), []);
});

test("with high 0 every page goes straight back", () => {
  const mem = emptyMemory(0, 1);
  freeSingles(mem, 512, 3);
  assert.equal(pcpOf(mem).count, 0);
  assert.equal(mem.zones[0].freePages, 3);
});

test("a large block that follows frees flushes everything", () => {
  const mem = emptyMemory(16, 4);
  const pcp = pcpOf(mem);
  freeSingles(mem, 512, 16);
  assert.equal(pcp.count, 12);
  freeToPcp(mem, 600 as Pfn, 2);
  assert.equal(pcp.count, 0);
  assert.equal(mem.zones[0].freePages, 20);
  freeToPcp(mem, 1024 as Pfn, 9);
  assert.equal(pcp.count, 0, "a pageblock is over high at once");
});

test("a large block that follows no frees stays, up to the orders that are not costly", () => {
  for (const factor of [0, 1]) {
    for (const order of [0, 1, 3]) {
      const mem = emptyMemory(64, 4);
      pcpOf(mem).freeFactor = factor;
      freeToPcp(mem, 512 as Pfn, order);
      const stays = factor === 0 || order === 0;
      assert.equal(pcpOf(mem).count, stays ? 1 << order : 0, `order ${order}, factor ${factor}`);
    }
  }
});

test("whole pageblocks have two lists: one for movable memory, one for all other", () => {
  const mem = emptyMemory(4096, 8);
  const [zone] = mem.zones;
  setPageblockMigratetype(mem, 1024 as Pfn, unmovable);
  setPageblockMigratetype(mem, 1536 as Pfn, reclaimable);
  for (const pfn of [512, 1024, 1536]) freeToPcp(mem, pfn as Pfn, 9);
  assert.deepEqual(lengths(mem, pcpOf(mem)), [1, 2]);
  assert.equal(takeFromPcp(mem, zone, 9, unmovable), 1536, "the last freed of the two");
  assert.equal(takeFromPcp(mem, zone, 9, movable), 512);
  drainPcp(mem, zone, 0);
  assert.equal(countFreeBlocks(mem, zone, 9, unmovable), 1);
});

test("an empty list is filled with a batch of its order, two blocks at least", () => {
  for (const [order, blocks] of [
    [0, 8],
    [1, 4],
    [2, 2],
    [3, 2],
    [9, 2],
  ]) {
    const mem = emptyMemory(4096, 8);
    const [zone] = mem.zones;
    freeOneBlock(mem, zone, 1024 as Pfn, 10, movable);
    assert.equal(takeFromPcp(mem, zone, order, movable), 1024, "lowest first");
    assert.equal(zone.pcp[0].count, (blocks - 1) << order, `order ${order}`);
    assert.equal(zone.freePages, 1024 - (blocks << order));
  }
  const single = emptyMemory(0, 1);
  freeOneBlock(single, single.zones[0], 1024 as Pfn, 10, movable);
  takeFromPcp(single, single.zones[0], 0, movable);
  assert.equal(pcpOf(single).count, 0, "batch 1 fetches one");
});

test("a page of an isolated pageblock goes straight to the isolated list", () => {
  const mem = emptyMemory(64, 8);
  const [zone] = mem.zones;
  setPageblockMigratetype(mem, 512 as Pfn, isolate);
  freeToPcp(mem, 512 as Pfn, 0);
  assert.equal(pcpOf(mem).count, 0);
  assert.equal(countFreeBlocks(mem, zone, 0, isolate), 1);
});

test("CMA and highatomic pages lie among the movable ones and go back as what they are", () => {
  for (const special of [cma, highatomic]) {
    const mem = emptyMemory(64, 8);
    const [zone] = mem.zones;
    setPageblockMigratetype(mem, 512 as Pfn, special);
    freeToPcp(mem, 512 as Pfn, 0);
    drainPcp(mem, zone, 0);
    assert.equal(countFreeBlocks(mem, zone, 0, special), 1);
    assert.equal(zone.freeCmaPages, special === cma ? 1 : 0);
    freeToPcp(mem, 514 as Pfn, 0);
    assert.equal(takeFromPcp(mem, zone, 0, movable), 514, "a movable request gets it");
  }
});

test("a page that was fetched and never handed out goes back as the type it was fetched for", () => {
  const mem = emptyMemory(64, 2);
  const [zone] = mem.zones;
  setPageblockMigratetype(mem, 512 as Pfn, unmovable);
  freeOneBlock(mem, zone, 512 as Pfn, 1, unmovable);
  assert.equal(takeFromPcp(mem, zone, 0, movable), 512);
  drainPcp(mem, zone, 0);
  assert.equal(countFreeBlocks(mem, zone, 0, movable), 1, "513 is one of movable's by now");
});

test("while a pageblock is isolated, what goes back is asked for its pageblock's type again", () => {
  for (const isolatedBlocks of [0, 1]) {
    const mem = emptyMemory(64, 8);
    const [zone] = mem.zones;
    freeToPcp(mem, 512 as Pfn, 0);
    setPageblockMigratetype(mem, 512 as Pfn, isolate);
    zone.isolatedBlocks = isolatedBlocks;
    drainPcp(mem, zone, 0);
    assert.equal(countFreeBlocks(mem, zone, 0, isolate), isolatedBlocks);
    assert.equal(zone.freePages, 1 - isolatedBlocks);
  }
});

/** Blocks in use: their orders, by first page. */
interface Model {
  readonly used: Map<number, number>;
}

type PcpCommand = fc.Command<Model, Memory>;

function assertConserved({ used }: Model, mem: Memory): void {
  const [zone] = mem.zones;
  let inPcp = 0;
  for (const pcp of zone.pcp) {
    let listed = 0;
    for (const list of pcp.lists) {
      for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
        assert.equal(used.has(at), false, "a per-CPU page is not in use");
        assert.equal(mem.flags[at], 0);
        assert.equal(mem.refcount[at], 0);
        listed += 1 << mem.private[at];
      }
    }
    assert.equal(pcp.count, listed);
    inPcp += listed;
  }
  let inUse = 0;
  for (const order of used.values()) inUse += 1 << order;
  assert.equal(zone.freePages + inPcp + inUse, mem.pageCount - 1);
}

const SIZES = fc.constantFrom(0, 0, 0, 1, 2, 3);
const TYPES = fc.constantFrom(unmovable, movable, reclaimable);

function allocCommand(order: number, type: Migratetype): PcpCommand {
  return {
    check: () => true,
    run(model, mem) {
      const request = { order, migratetype: type, node: 0, highestZone: "Normal" } as const;
      const pfn = allocPages(mem, request);
      if (pfn !== -1) {
        assert.equal(model.used.has(pfn), false, "nobody else has the page");
        model.used.set(pfn, order);
        for (let page = pfn; page < pfn + (1 << order); page = (page + 1) as Pfn) {
          assert.deepEqual([mem.flags[page], mem.index[page], mem.private[page]], [0, 0, 0]);
        }
      }
      assertConserved(model, mem);
    },
    toString: () => `alloc(order ${order}, type ${type})`,
  };
}

function freeCommand(which: number): PcpCommand {
  return {
    check: ({ used }) => used.size > 0,
    run(model, mem) {
      const [pfn, order] = [...model.used][which % model.used.size];
      const { count: before, high } = pcpOf(mem);
      model.used.delete(pfn);
      mem.refcount[pfn] = 0;
      freePages(mem, pfn as Pfn, order);
      assert.ok(pcpOf(mem).count < Math.max(before + 1, high), "at high something goes back");
      assertConserved(model, mem);
    },
    toString: () => `free(${which})`,
  };
}

function drainCommand(cpu: number): PcpCommand {
  return {
    check: () => true,
    run(model, mem) {
      drainPcp(mem, mem.zones[0], cpu);
      assert.equal(mem.zones[0].pcp[cpu].count, 0);
      assertConserved(model, mem);
    },
    toString: () => `drain(${cpu})`,
  };
}

function runOn(cpu: number): PcpCommand {
  return {
    check: () => true,
    run(_model, mem) {
      mem.cpu = cpu;
    },
    toString: () => `cpu ${cpu}`,
  };
}

test("two processors' lists never lose, share or double a page, and drain to one whole zone", () => {
  const commands = fc.commands(
    [
      fc.tuple(SIZES, TYPES).map(([order, type]) => allocCommand(order, type)),
      fc.nat({ max: 1000 }).map(freeCommand),
      fc.nat({ max: 1 }).map(drainCommand),
      fc.nat({ max: 1 }).map(runOn),
    ],
    { size: "+1", maxCommands: 100 },
  );
  fc.assert(
    fc.property(commands, fc.constantFrom([4, 1], [12, 3], [40, 8]), (list, [high, batch]) => {
      const mem = smallMemory({
        pageCount: 1024,
        zones: [{ startPfn: 0, spanned: 1024, pcp: { high, batch } }],
        nodeOfCpu: [0, 0],
      });
      const model: Model = { used: new Map() };
      fc.modelRun(() => ({ model, real: mem }), list);
      for (const [pfn, order] of model.used) {
        mem.refcount[pfn] = 0;
        freePages(mem, pfn as Pfn, order);
      }
      drainAllPages(mem);
      const whole = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0];
      assert.deepEqual([...mem.zones[0].freeBlocks], whole, "1, 2-3, 4-7, ... 512-1023");
    }),
    { numRuns: 150 },
  );
});
