import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { MAPPING_ANON, MAPPING_KSM, MAPPING_MOVABLE, mappingWord } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import {
  filemapAddFolio,
  filemapRemoveFolio,
  forgetEvictions,
  PageCache,
  removeFrozenFolio,
} from "./page-cache.ts";

function newFolio(mem: Memory, order = 0): Folio {
  const folio = folioAlloc(mem, { ...movableRequest(0), order });
  assert.ok(folio !== null, "the memory has room");
  return folio;
}

test("a folio enters its file with a reference for each page, and leaves as it came", () => {
  for (const order of [0, 2]) {
    const mem = smallMemory({ pageCount: 64 });
    const cache = new PageCache(mem);
    const mapping = cache.createMapping("a file", {});
    const folio = newFolio(mem, order);
    const pages = 1 << order;
    filemapAddFolio(mem, mapping, folio, 4);
    assert.equal(mem.refcount[folio], 1 + pages);
    assert.equal(mem.index[folio], 4);
    assert.equal(cache.folioMapping(folio), mapping);
    assert.equal(mapping.folios.load(4 + pages - 1), folio);
    assert.deepEqual([mem.nodes[0].filePages, mem.nodes[0].shmemPages], [pages, 0]);

    assert.throws(
      () => filemapRemoveFolio(mem, mapping, folio),
      /removal of a folio that is not locked/,
    );
    folioTrylock(mem, folio);
    filemapRemoveFolio(mem, mapping, folio);
    assert.equal(mem.refcount[folio], 1);
    assert.equal(cache.folioMapping(folio), null);
    assert.deepEqual([mapping.folios.pageCount, mem.nodes[0].filePages], [0, 0]);
    mem.flags[folio] &= ~PG.locked;
    folioPut(mem, folio);
    assert.equal(mem.zones[0].freePages, 63);
  }
});

test("swap-backed pages of a file are counted as shmem too", () => {
  const mem = smallMemory({ pageCount: 64 });
  const mapping = new PageCache(mem).createMapping("shmem", {});
  const folio = newFolio(mem);
  mem.flags[folio] |= PG.swapbacked;
  filemapAddFolio(mem, mapping, folio, 0);
  assert.deepEqual([mem.nodes[0].filePages, mem.nodes[0].shmemPages], [1, 1]);
  folioTrylock(mem, folio);
  filemapRemoveFolio(mem, mapping, folio);
  assert.deepEqual([mem.nodes[0].filePages, mem.nodes[0].shmemPages], [0, 0]);
});

test("only a file's folio has a mapping", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new PageCache(mem);
  const mapping = cache.createMapping("a file", {});
  const folio = newFolio(mem);
  assert.equal(cache.folioMapping(folio), null, "nobody's");
  for (const kind of [MAPPING_ANON, MAPPING_MOVABLE, MAPPING_KSM] as const) {
    mem.mapping[folio] = mappingWord(mapping.id, kind);
    assert.equal(cache.folioMapping(folio), null);
  }
  mem.mapping[folio] = mappingWord(mapping.id, 0);
  assert.equal(cache.folioMapping(folio), mapping);
  mem.flags[folio] |= PG.slab;
  assert.equal(cache.folioMapping(folio), null, "what a slab keeps there is no mapping");
});

test("a folio has one owner, and only that one removes it", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new PageCache(mem);
  const [one, other] = [cache.createMapping("one", {}), cache.createMapping("other", {})];
  const folio = newFolio(mem);
  filemapAddFolio(mem, one, folio, 0);
  assert.throws(() => filemapAddFolio(mem, other, folio, 0), /a folio has an owner already/);
  folioTrylock(mem, folio);
  assert.throws(() => filemapRemoveFolio(mem, other, folio), /a folio of another file/);
});

test("an evicted page leaves word, which its return takes and tells", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new PageCache(mem);
  const told: (readonly [Folio, number])[] = [];
  cache.workingsetRefault = (folio, shadow) => told.push([folio, shadow]);
  const mapping = cache.createMapping("a file", {});
  const evicted = newFolio(mem);
  filemapAddFolio(mem, mapping, evicted, 5);
  folioTrylock(mem, evicted);
  mem.refcount[evicted] = 0;
  removeFrozenFolio(mem, mapping, evicted, 42);
  assert.equal(mem.mapping[evicted], 0);
  assert.equal(mapping.folios.pageCount, 0);
  const other = newFolio(mem);
  filemapAddFolio(mem, mapping, other, 6);
  assert.deepEqual(told, []);
  const back = newFolio(mem, 2);
  mapping.shadows?.set(9, 43);
  filemapAddFolio(mem, mapping, back, 8);
  assert.deepEqual(told, [[back, 43]]);
  assert.deepEqual([...(mapping.shadows ?? [])], [[5, 42]]);
  forgetEvictions(mapping, 6, 100);
  assert.equal(mapping.shadows?.size, 1);
  forgetEvictions(mapping, 5, 5);
  assert.equal(mapping.shadows?.size, 0, "a file that ends before them does not expect them back");
});
