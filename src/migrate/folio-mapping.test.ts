import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioGet } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import { type Folio, setFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { markDirtyInIndex } from "../pagecache/dirty-account.ts";
import { MARK } from "../pagecache/folio-index.ts";
import { filemapAddFolio, PageCache } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { anonymousPage, smallVm } from "../vm/small-vm.ts";
import { folioExpectedRefs, folioMigrateMapping } from "./folio-mapping.ts";

function twoNodes(): Memory {
  return smallMemory({
    pageCount: 128,
    zones: [
      { startPfn: 0, spanned: 64, node: 0 },
      { startPfn: 64, spanned: 64, node: 1 },
    ],
    distances: [
      [10, 20],
      [20, 10],
    ],
  });
}

function lockedFolio(mem: Memory, order = 0, node = 0): Folio {
  const folio = folioAlloc(mem, { ...movableRequest(node), order, onlyNode: true });
  assert.ok(folio !== null, "the memory has room");
  folioTrylock(mem, folio);
  return folio;
}

/** A file with one folio at offset 4, held by the cache and by a mover. */
interface Cached {
  readonly mem: Memory;
  readonly mapping: AddressSpace;
  readonly src: Folio;
  readonly dst: Folio;
}

function cached(order = 0, dstNode = 0): Cached {
  const mem = twoNodes();
  const mapping = new PageCache(mem).createMapping("a file", {});
  const src = lockedFolio(mem, order);
  filemapAddFolio(mem, mapping, src, 4);
  return { mem, mapping, src, dst: lockedFolio(mem, order, dstNode) };
}

function swap({ mem, mapping, src, dst }: Cached, extra = 0): string {
  return runToEnd(folioMigrateMapping(mem, mapping, dst, src, extra));
}

test("an unmapped folio should have one reference, and with a file one a page and for private", () => {
  for (const order of [0, 2]) {
    const { mem, mapping, src } = cached(order);
    const pages = 1 << order;
    assert.equal(folioExpectedRefs(mem, null, src), 1);
    assert.equal(folioExpectedRefs(mem, mapping, src), 1 + pages);
    mem.flags[src] |= PG.private2;
    assert.equal(folioExpectedRefs(mem, mapping, src), 1 + pages, "private_2 holds none");
    mem.flags[src] |= PG.private;
    assert.equal(folioExpectedRefs(mem, mapping, src), 2 + pages);
  }
});

test("an anonymous folio hands on its word, its offset and swapbacked, and no reference", () => {
  const vm = smallVm();
  const { mem } = vm;
  const { folio: src } = anonymousPage(vm, 1);
  const dst = lockedFolio(mem);
  assert.equal(runToEnd(folioMigrateMapping(mem, null, dst, src, 0)), "moved");
  assert.equal(mem.mapping[dst], mem.mapping[src]);
  assert.equal(mem.index[dst], mem.index[src]);
  assert.ok(folioTestAnon(mem, src), "the word stays until the source is freed");
  assert.equal(mem.flags[dst], PG.locked | PG.swapbacked);
  assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [1, 1]);
});

test("an anonymous folio that somebody else holds stays, and says what was found", () => {
  const vm = smallVm();
  const { mem } = vm;
  const { folio: src } = anonymousPage(vm, 1);
  const dst = lockedFolio(mem);
  folioGet(mem, src);
  const { refusals } = mem.events;
  assert.equal(runToEnd(folioMigrateMapping(mem, null, dst, src, 0)), "EAGAIN");
  refusals.settle(src);
  assert.deepEqual(refusals.standing.get(src), { name: "refcount", found: 2, expected: 1 });
  assert.deepEqual([mem.mapping[dst], mem.index[dst], mem.flags[dst]], [0, 0, PG.locked]);
  assert.equal(runToEnd(folioMigrateMapping(mem, null, dst, src, 1)), "moved", "an owner's extra");
});

for (const order of [0, 2]) {
  const pages = 1 << order;
  test(`a cached folio of order ${order} is replaced in each slot, its references step by step`, () => {
    const each = cached(order);
    const { mem, mapping, src, dst } = each;
    assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [1 + pages, 1]);
    assert.equal(swap(each), "moved");
    assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [1, 1 + pages]);
    for (let at = 4; at < 4 + pages; at++) assert.equal(mapping.folios.load(at), dst);
    assert.equal(mapping.folios.pageCount, pages);
    assert.deepEqual([mem.mapping[dst], mem.index[dst]], [mem.mapping[src], 4]);
    assert.notEqual(mem.mapping[src], 0, "cleared by whoever asked for the move");
  });

  test(`a reference too many or too few on a folio of order ${order} leaves all as it was`, () => {
    for (const [found, expected] of [
      [2 + pages, 1 + pages],
      [pages, 1 + pages],
    ]) {
      const each = cached(order);
      const { mem, mapping, src, dst } = each;
      mem.refcount[src] = found;
      mem.flags[src] |= PG.dirty;
      assert.equal(swap(each), "EAGAIN");
      mem.events.refusals.settle(src);
      const refusal = { name: "refcount", found, expected };
      assert.deepEqual(mem.events.refusals.standing.get(src), refusal);
      assert.equal(mapping.folios.load(4), src);
      assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [found, 1]);
      assert.ok((mem.flags[src] & PG.dirty) !== 0);
      assert.deepEqual([mem.mapping[dst], mem.flags[dst] & PG.dirty], [0, 0]);
    }
  });
}

test("private state's reference and an owner's extra ones are expected and stay with the source", () => {
  const each = cached();
  const { mem, src, dst } = each;
  mem.flags[src] |= PG.private;
  mem.refcount[src] += 3;
  assert.equal(swap(each, 1), "EAGAIN", "5 found, 4 expected");
  assert.equal(swap(each, 2), "moved");
  assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [4, 2]);
});

test("dirty moves with the folio, in the same step", () => {
  const each = cached();
  const { mem, src, dst } = each;
  mem.flags[src] |= PG.dirty;
  swap(each);
  assert.equal(mem.flags[src] & PG.dirty, 0);
  assert.ok((mem.flags[dst] & PG.dirty) !== 0);
});

test("dirty pages are counted where they lie now, if their file is ever written back", () => {
  for (const [kind, flags, counted] of [
    ["a file", PG.dirty, 2],
    ["a file", 0, 0],
    ["a file in memory alone", PG.dirty, 0],
  ] as const) {
    const mem = twoNodes();
    const traits = { canWriteback: kind === "a file" };
    const mapping = new PageCache(mem).createMapping(kind, {}, traits);
    const src = lockedFolio(mem, 1);
    filemapAddFolio(mem, mapping, src, 0);
    if (flags !== 0) {
      setFlag(mem, src, PG.dirty);
      markDirtyInIndex(mem, mapping, src);
    }
    const dst = lockedFolio(mem, 1, 1);
    const count = (): number[] => [
      ...mem.nodes.map(({ dirtyPages }) => dirtyPages),
      ...mem.zones.map(({ writePendingPages }) => writePendingPages),
    ];
    assert.deepEqual(count(), [counted, 0, counted, 0]);
    assert.equal(swap({ mem, mapping, src, dst }), "moved");
    assert.deepEqual(count(), [0, counted, 0, counted], `${kind}, ${flags}`);
    assert.equal(mapping.folios.isMarked(0, MARK.dirty), flags !== 0, "the slot keeps its mark");
  }
});

test("pages of a file, and of shmem, are counted where they lie now", () => {
  for (const [flags, shmem] of [
    [0, 0],
    [PG.swapbacked, 1],
  ]) {
    const mem = twoNodes();
    const mapping = new PageCache(mem).createMapping("a file", {});
    const src = lockedFolio(mem, 1);
    mem.flags[src] |= flags;
    filemapAddFolio(mem, mapping, src, 0);
    const dst = lockedFolio(mem, 1, 1);
    assert.equal(swap({ mem, mapping, src, dst }), "moved");
    const counts = mem.nodes.map(({ filePages, shmemPages }) => [filePages, shmemPages]);
    assert.deepEqual(counts, [
      [0, 0],
      [2, 2 * shmem],
    ]);
  }
  const each = cached();
  swap(each);
  assert.equal(each.mem.nodes[0].filePages, 1, "unchanged on one node");
});
