import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { VmEventName } from "../events/vmstat.ts";
import { folioPut } from "./folio-ref.ts";
import {
  folioAddLru,
  folioIsolateLru,
  folioPutbackLru,
  lruAddDrain,
  lruAddDrainAll,
  lruCacheDisable,
} from "./lru.ts";
import type { Folio } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { mlockDrain, mlockFolio, munlockFolio } from "./mlock.ts";
import { LRU } from "./node.ts";
import { folioAlloc, movableRequest } from "./page-alloc.ts";
import { PG } from "./page-flags.ts";
import { smallMemory } from "./small-memory.ts";

function newFolio(mem: Memory): Folio {
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null, "the memory has room");
  return folio;
}

/** A folio on an active list. */
function folioOnLru(mem: Memory): Folio {
  const folio = newFolio(mem);
  mem.flags[folio] |= PG.active;
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  return folio;
}

/** The unevictable counters that are not zero. */
function counted(mem: Memory): Partial<Record<VmEventName, number>> {
  const events = Object.entries(mem.events.vmstat.snapshot());
  return Object.fromEntries(
    events.filter(([name, count]) => name.startsWith("unevictable") && count > 0),
  );
}

function isUnevictable(mem: Memory, folio: Folio): boolean {
  return (mem.flags[folio] & PG.unevictable) !== 0;
}

test("a locked mapping marks the folio at once and takes it off the lists with the batch", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioOnLru(mem);
  mlockFolio(mem, folio);
  assert.equal(mem.nodes[0].mlockedPages, 1);
  assert.equal(mem.refcount[folio], 2, "the batch's reference");
  assert.equal(mem.nodes[0].lruPages[LRU.activeFile], 1);
  mlockDrain(mem);
  assert.equal(mem.refcount[folio], 1);
  assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 0, 0, 1]);
  assert.equal(mem.flags[folio] & PG.active, 0);
  assert.equal(mem.prev[folio], 1, "one locked mapping");
  assert.deepEqual(counted(mem), { unevictable_pgs_mlocked: 1, unevictable_pgs_culled: 1 });
});

test("each further lock counts up, and only the last unlock rescues the folio", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioOnLru(mem);
  for (let at = 0; at < 3; at++) mlockFolio(mem, folio);
  mlockDrain(mem);
  assert.equal(mem.prev[folio], 3);
  for (const left of [2, 1]) {
    munlockFolio(mem, folio);
    mlockDrain(mem);
    assert.equal(mem.prev[folio], left);
    assert.equal(isUnevictable(mem, folio), true);
  }
  munlockFolio(mem, folio);
  mlockDrain(mem);
  assert.equal(isUnevictable(mem, folio), false);
  assert.equal(mem.nodes[0].mlockedPages, 0);
  assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 1, 0, 0]);
  assert.deepEqual(counted(mem), {
    unevictable_pgs_mlocked: 1,
    unevictable_pgs_culled: 1,
    unevictable_pgs_munlocked: 1,
    unevictable_pgs_rescued: 1,
  });
});

test("a lock and an unlock in one batch leave the folio where it was, only less active", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioOnLru(mem);
  mlockFolio(mem, folio);
  munlockFolio(mem, folio);
  mlockDrain(mem);
  assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 1, 0, 0]);
  assert.equal(mem.nodes[0].mlockedPages, 0);
});

test("a folio that is isolated when its lock is counted comes back unevictable", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioOnLru(mem);
  assert.equal(folioIsolateLru(mem, folio), true);
  mlockFolio(mem, folio);
  mlockDrain(mem);
  assert.equal(isUnevictable(mem, folio), false, "not the isolator's business");
  folioPutbackLru(mem, folio);
  lruAddDrain(mem);
  assert.equal(isUnevictable(mem, folio), true);
  assert.equal(mem.prev[folio], 0, "nobody has counted this lock");
  munlockFolio(mem, folio);
  mlockDrain(mem);
  assert.equal(isUnevictable(mem, folio), false, "so the first unlock is taken for the last");
});

test("an unlock of an isolated unevictable folio strands it until it is put back", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioOnLru(mem);
  mlockFolio(mem, folio);
  mlockDrain(mem);
  assert.equal(folioIsolateLru(mem, folio), true);
  munlockFolio(mem, folio);
  mlockDrain(mem);
  assert.equal(counted(mem).unevictable_pgs_stranded, 1);
  assert.equal(counted(mem).unevictable_pgs_munlocked, undefined);
  folioPutbackLru(mem, folio);
  lruAddDrain(mem);
  assert.equal(isUnevictable(mem, folio), false);
  assert.equal(counted(mem).unevictable_pgs_rescued, 1);
});

test("the batch flushes with the 15th entry, and at once while batches are disabled", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioOnLru(mem);
  for (let at = 0; at < 14; at++) mlockFolio(mem, folio);
  assert.equal(mem.refcount[folio], 15);
  mlockFolio(mem, folio);
  assert.equal(mem.refcount[folio], 1);
  assert.equal(mem.prev[folio], 15);
  lruCacheDisable(mem);
  mlockFolio(mem, folio);
  assert.equal(mem.prev[folio], 16);
});

test("a folio that is freed while mlocked is no longer counted as mlocked, however large", () => {
  for (const order of [0, 2]) {
    const mem = smallMemory({ pageCount: 64 });
    const folio = folioAlloc(mem, { ...movableRequest(0), order });
    assert.ok(folio !== null);
    folioAddLru(mem, folio);
    lruAddDrain(mem);
    mlockFolio(mem, folio);
    mlockDrain(mem);
    assert.equal(mem.nodes[0].mlockedPages, 1 << order);
    folioPut(mem, folio);
    assert.equal(mem.nodes[0].mlockedPages, 0);
    assert.equal(counted(mem).unevictable_pgs_cleared, 1 << order);
    assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 0, 0, 0]);
  }
});

test("an unlock that overtakes its lock in another processor's batch leaves one lock too many", () => {
  // Linux counts no better: such a folio stays unevictable until it is freed.
  const mem = smallMemory({ pageCount: 64, nodeOfCpu: [0, 0] });
  const folio = folioOnLru(mem);
  mlockFolio(mem, folio);
  mem.cpu = 1;
  munlockFolio(mem, folio);
  mlockDrain(mem);
  mlockFolio(mem, folio);
  munlockFolio(mem, folio);
  lruAddDrainAll(mem);
  assert.equal(mem.prev[folio], 1);
  assert.equal(isUnevictable(mem, folio), true);
  folioPut(mem, folio);
  assert.equal(mem.nodes[0].mlockedPages, 0);
});

type Action = "mlock" | "munlock" | "isolate" | "putback" | "drain";

test("on one processor, once all locks are undone and drained, every folio is evictable again", () => {
  const action = fc.constantFrom<Action>(
    "mlock",
    "mlock",
    "munlock",
    "isolate",
    "putback",
    "drain",
  );
  const steps = fc.array(fc.tuple(action, fc.nat({ max: 2 })), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (list) => {
      const mem = smallMemory({ pageCount: 64 });
      const folios = [0, 1, 2].map(() => folioOnLru(mem));
      const locks = folios.map(() => 0);
      const isolated = folios.map(() => false);
      for (const [name, which] of list) {
        const folio = folios[which];
        if (name === "drain") lruAddDrain(mem);
        else if (name === "mlock") {
          mlockFolio(mem, folio);
          locks[which]++;
        } else if (name === "munlock" && locks[which] > 0) {
          munlockFolio(mem, folio);
          locks[which]--;
        } else if (name === "isolate" && !isolated[which]) {
          isolated[which] = folioIsolateLru(mem, folio);
        } else if (name === "putback" && isolated[which]) {
          folioPutbackLru(mem, folio);
          isolated[which] = false;
        }
        const marked = folios.filter((each) => (mem.flags[each] & PG.mlocked) !== 0).length;
        assert.equal(mem.nodes[0].mlockedPages, marked);
      }
      for (const [which, folio] of folios.entries()) {
        if (isolated[which]) folioPutbackLru(mem, folio);
        for (; locks[which] > 0; locks[which]--) munlockFolio(mem, folio);
      }
      lruAddDrainAll(mem);
      assert.equal(mem.nodes[0].mlockedPages, 0);
      assert.equal(mem.nodes[0].lruPages[LRU.unevictable], 0);
      for (const folio of folios) {
        assert.equal(mem.refcount[folio], 1);
        assert.equal(mem.flags[folio] & (PG.mlocked | PG.unevictable), 0);
      }
    }),
    { numRuns: 300 },
  );
});
