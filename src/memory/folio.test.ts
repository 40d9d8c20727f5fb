import assert from "node:assert/strict";
import { test } from "node:test";
import {
  folioEntireMapcount,
  folioMapcount,
  folioMapped,
  folioNrPages,
  folioOrder,
  folioTestLarge,
  pageFolio,
  pageMapcount,
  prepCompound,
  unprepCompound,
} from "./folio.ts";
import { folioTryPin } from "./folio-ref.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { smallMemory } from "./small-memory.ts";

const HEAD = 512 as Pfn;

function emptyMemory(): Memory {
  return smallMemory({ pageCount: 2048, free: "none" });
}

/** Every column of a few pages, to compare. */
function columns(mem: Memory, first: number, count: number): number[][] {
  const { flags, refcount, mapcount, mapping, index, next } = mem;
  return [flags, refcount, mapcount, mapping, index, mem.private, next].map((column) => [
    ...column.subarray(first, first + count),
  ]);
}

test("a compound of any order has one head, which every tail names", () => {
  for (let order = 1; order <= 10; order++) {
    const mem = emptyMemory();
    const head = (order === 10 ? 1024 : HEAD) as Pfn;
    const folio = prepCompound(mem, head, order);
    assert.equal(folioOrder(mem, folio), order);
    assert.equal(folioNrPages(mem, folio), 1 << order);
    assert.equal(folioTestLarge(mem, folio), true);
    for (let page = head; page < head + (1 << order); page = (page + 1) as Pfn) {
      assert.equal(pageFolio(mem, page), head);
    }
    const after = (head + (1 << order)) as Pfn;
    if (after < mem.pageCount) assert.equal(pageFolio(mem, after), after);
  }
});

test("a page that is no compound is its own folio of order 0", () => {
  const mem = emptyMemory();
  assert.equal(pageFolio(mem, HEAD), HEAD);
  assert.deepEqual([folioOrder(mem, HEAD as Folio), folioNrPages(mem, HEAD as Folio)], [0, 1]);
  assert.equal(folioTestLarge(mem, HEAD as Folio), false);
});

test("undoing a compound leaves its pages as they were, and the next page alone", () => {
  for (const order of [1, 2, 5, 9]) {
    const mem = emptyMemory();
    const before = columns(mem, HEAD, (1 << order) + 1);
    unprepCompound(mem, prepCompound(mem, HEAD, order));
    assert.deepEqual(columns(mem, HEAD, (1 << order) + 1), before, `order ${order}`);
  }
});

test("a compound that is mapped whole or pinned cannot be undone", () => {
  const mem = emptyMemory();
  const folio = prepCompound(mem, HEAD, 2);
  mem.mapping[folio + 1] = 1;
  assert.throws(() => unprepCompound(mem, folio), /still mapped whole: 512 1/);
  mem.mapping[folio + 1] = 0;
  mem.refcount[folio] = 1;
  folioTryPin(mem, folio);
  assert.throws(() => unprepCompound(mem, folio), /still pinned: 512 1/);
});

test("order 0 makes no compound", () => {
  assert.throws(() => prepCompound(emptyMemory(), HEAD, 0), /a compound has order 1 or more/);
});

test("a folio's map count sums its pages' and the mappings of the whole", () => {
  const mem = emptyMemory();
  const folio = prepCompound(mem, HEAD, 2);
  assert.equal(folioMapped(mem, folio), false);
  mem.mapcount[folio] = 1;
  mem.mapcount[folio + 3] = 2;
  mem.mapping[folio + 1] = 4;
  mem.mapcount[folio + 4] = 100;
  assert.equal(folioMapcount(mem, folio), 7);
  assert.equal(folioEntireMapcount(mem, folio), 4);
  assert.deepEqual(
    [0, 1, 3].map((at) => pageMapcount(mem, (folio + at) as Pfn)),
    [5, 4, 6],
  );
  const single = (HEAD + 8) as Folio;
  mem.mapcount[single] = 3;
  mem.mapping[single + 1] = 9;
  assert.equal(folioMapcount(mem, single), 3, "a single page has no first tail");
  assert.equal(pageMapcount(mem, single), 3);
  assert.equal(folioEntireMapcount(mem, single), 0);
  assert.equal(folioMapped(mem, single), true);
});

test("one mapping of any kind makes a large folio mapped", () => {
  const mem = emptyMemory();
  const folio = prepCompound(mem, HEAD, 2);
  mem.mapping[folio + 1] = 1;
  assert.equal(folioMapped(mem, folio), true);
  mem.mapping[folio + 1] = 0;
  mem.mapcount[folio + 3] = 1;
  assert.equal(folioMapped(mem, folio), true);
  mem.mapcount[folio + 3] = 0;
  mem.mapcount[folio + 4] = 1;
  assert.equal(folioMapped(mem, folio), false, "the page behind it");
});
