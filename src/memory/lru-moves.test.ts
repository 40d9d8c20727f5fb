import assert from "node:assert/strict";
import { test } from "node:test";
import type { VmEventName } from "../events/vmstat.ts";
import {
  folioAddLru,
  folioIsolateLru,
  folioPutbackLru,
  lruAddDrain,
  lruCacheDisable,
} from "./lru.ts";
import {
  folioActivate,
  folioDeactivate,
  folioDeactivateFile,
  folioMarkAccessed,
  folioMarkLazyfree,
  folioRotateReclaimable,
} from "./lru-moves.ts";
import { MAPPING_ANON, mappingWord } from "./mapping-word.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { LRU } from "./node.ts";
import { folioAlloc, movableRequest } from "./page-alloc.ts";
import { PG } from "./page-flags.ts";
import { listFirst, listIsEnd } from "./page-list.ts";
import { smallMemory } from "./small-memory.ts";

/** A folio with these flags, on the LRU. */
function listed(mem: Memory, flags = 0, order = 0): Folio {
  const folio = folioAlloc(mem, { ...movableRequest(0), order });
  assert.ok(folio !== null, "the memory has room");
  mem.flags[folio] |= flags;
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  return folio;
}

function anonymous(mem: Memory, flags = 0): Folio {
  const folio = listed(mem, PG.swapbacked | flags);
  mem.mapping[folio] = mappingWord(0, MAPPING_ANON);
  return folio;
}

/** The folios of a list, first to last. */
function list(mem: Memory, lru: number): number[] {
  const found: number[] = [];
  const head = mem.nodes[0].lruLists[lru];
  for (let at = listFirst(mem, head); !listIsEnd(head, at); at = mem.next[at] as Pfn) {
    found.push(at);
  }
  return found;
}

function counted(mem: Memory, ...names: VmEventName[]): number[] {
  const counts = mem.events.vmstat.snapshot();
  return names.map((name) => counts[name]);
}

test("the second use makes a folio active, and the third marks it again", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = listed(mem, PG.idle);
  folioMarkAccessed(mem, folio);
  assert.equal(mem.flags[folio], PG.lru | PG.referenced, "marked, and no longer idle");
  folioMarkAccessed(mem, folio);
  assert.deepEqual(list(mem, LRU.inactiveFile), [folio], "it waits in a batch");
  assert.equal(mem.refcount[folio], 2);
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.activeFile), [folio]);
  assert.equal(mem.refcount[folio], 1);
  assert.equal(mem.nodes[0].nonresidentAge, 1, "it left the inactive list");
  folioMarkAccessed(mem, folio);
  assert.equal(mem.flags[folio], PG.lru | PG.active | PG.referenced);
  assert.deepEqual(counted(mem, "pgactivate"), [1]);
});

test("a new folio becomes active in its batch, on this processor's alone", () => {
  const mem = smallMemory({ pageCount: 64, nodeOfCpu: [0, 0] });
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null);
  folioAddLru(mem, folio);
  mem.flags[folio] |= PG.referenced;
  mem.cpu = 1;
  folioMarkAccessed(mem, folio);
  assert.equal(mem.flags[folio], 0, "another processor's batch is not looked through");
  mem.flags[folio] |= PG.referenced;
  mem.cpu = 0;
  folioMarkAccessed(mem, folio);
  assert.equal(mem.flags[folio], PG.active);
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.activeFile), [folio]);
});

test("an unevictable folio stays where it is, whatever is wished", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = listed(mem, PG.mlocked | PG.swapbacked);
  mem.mapping[folio] = mappingWord(0, MAPPING_ANON);
  mem.flags[folio] |= PG.referenced;
  const before = mem.flags[folio];
  for (const move of [
    folioMarkAccessed,
    folioActivate,
    folioDeactivate,
    folioDeactivateFile,
    folioMarkLazyfree,
    folioRotateReclaimable,
  ]) {
    move(mem, folio);
    lruAddDrain(mem);
    assert.equal(mem.flags[folio], before, move.name);
    assert.equal(mem.refcount[folio], 1, move.name);
  }
});

test("MADV_COLD takes an active folio to the head of the inactive list", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cold = listed(mem, PG.active | PG.referenced);
  const inactive = listed(mem);
  folioDeactivate(mem, inactive);
  folioDeactivate(mem, cold);
  assert.equal(mem.refcount[inactive], 1, "an inactive folio does not even enter the batch");
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.inactiveFile), [cold, inactive]);
  assert.equal(mem.flags[cold], PG.lru);
  assert.deepEqual(counted(mem, "pgdeactivate"), [1]);
});

test("what could not be invalidated goes to the tail, or to the head until it is written", () => {
  const mem = smallMemory({ pageCount: 64 });
  const clean = listed(mem, PG.active | PG.referenced);
  const dirty = listed(mem, PG.dirty);
  const mapped = listed(mem, PG.active);
  mem.mapcount[mapped] = 1;
  const other = listed(mem);
  for (const folio of [clean, dirty, mapped]) folioDeactivateFile(mem, folio);
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.inactiveFile), [dirty, other, clean]);
  assert.equal(mem.flags[dirty], PG.lru | PG.dirty | PG.reclaim);
  assert.equal(mem.flags[clean], PG.lru);
  assert.deepEqual(list(mem, LRU.activeFile), [mapped]);
  assert.deepEqual(counted(mem, "pgrotated", "pgdeactivate"), [1, 1]);
});

test("MADV_FREE makes an anonymous folio one without storage, unless swap has it", () => {
  const mem = smallMemory({ pageCount: 64 });
  const free = anonymous(mem, PG.active | PG.referenced);
  const cached = anonymous(mem, PG.swapcache);
  const file = listed(mem);
  for (const folio of [free, cached, file]) folioMarkLazyfree(mem, folio);
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.inactiveFile), [free, file]);
  assert.deepEqual(list(mem, LRU.inactiveAnon), [cached]);
  assert.equal(mem.flags[free], PG.lru);
  assert.deepEqual(counted(mem, "pglazyfree"), [1]);
});

test("a folio in the batch that swap takes meanwhile is not freed lazily", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = anonymous(mem);
  folioMarkLazyfree(mem, folio);
  mem.flags[folio] |= PG.swapcache;
  lruAddDrain(mem);
  assert.equal(mem.flags[folio], PG.lru | PG.swapbacked | PG.swapcache);
});

test("the end of a write brings a folio to the tail, unless it is in use again", () => {
  const mem = smallMemory({ pageCount: 64 });
  const written = listed(mem);
  const dirty = listed(mem, PG.dirty);
  const locked = listed(mem, PG.locked);
  const other = listed(mem);
  for (const folio of [written, dirty, locked]) folioRotateReclaimable(mem, folio);
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.inactiveFile), [other, locked, dirty, written]);
  assert.deepEqual(counted(mem, "pgrotated"), [1]);
});

test("who has isolated a folio decides, not a batch", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = listed(mem);
  folioActivate(mem, folio);
  assert.ok(folioIsolateLru(mem, folio));
  lruAddDrain(mem);
  assert.equal(mem.flags[folio], 0);
  assert.equal(mem.refcount[folio], 2, "the isolator's");
  folioPutbackLru(mem, folio);
  lruAddDrain(mem);
  assert.deepEqual(list(mem, LRU.inactiveFile), [folio]);
});

test("a batch that is full, a large folio and a disabled cache are carried out at once", () => {
  const mem = smallMemory({ pageCount: 256 });
  const folios = Array.from({ length: 15 }, () => listed(mem));
  for (const folio of folios.slice(0, 14)) folioActivate(mem, folio);
  assert.equal(list(mem, LRU.activeFile).length, 0);
  folioActivate(mem, folios[14]);
  assert.deepEqual(list(mem, LRU.activeFile), folios.toReversed());
  const large = listed(mem, 0, 2);
  folioActivate(mem, large);
  assert.equal(mem.nodes[0].lruPages[LRU.activeFile], 19);
  lruCacheDisable(mem);
  const last = listed(mem);
  folioActivate(mem, last);
  assert.equal(list(mem, LRU.activeFile)[0], last);
});

test("a file that has no other place for its pages makes them unevictable", () => {
  const mem = smallMemory({ pageCount: 64 });
  const word = mappingWord(3, 0);
  mem.unevictableMappings.add(word);
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null);
  mem.mapping[folio] = word;
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  assert.equal(mem.flags[folio], PG.lru | PG.unevictable);
  assert.deepEqual(counted(mem, "unevictable_pgs_culled"), [1]);
});
