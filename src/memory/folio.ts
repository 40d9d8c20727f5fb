/**
 * Folios: a page, or a compound of 2^order pages with its state on the first.
 *
 * The head carries flags, references, mapping and index; each tail names its head in `private`.
 * What a compound needs beyond a page's columns lies in its first tail, as `Memmap` tells.
 * Linux: `struct folio`, `prep_compound_page()`.
 */
import { assert } from "../base/assert.ts";
import type { Folio, Memmap, Pfn } from "./memmap.ts";
import { NOT_LINKED } from "./memmap.ts";
import { PG } from "./page-flags.ts";

/** The folio that a page belongs to. Linux: `page_folio()`. */
export function pageFolio(mem: Memmap, page: Pfn): Folio {
  return ((mem.flags[page] & PG.tail) !== 0 ? mem.private[page] : page) as Folio;
}

/** Linux: `folio_order()`. */
export function folioOrder(mem: Memmap, folio: Folio): number {
  return (mem.flags[folio] & PG.head) !== 0 ? mem.index[folio + 1] : 0;
}

/** Linux: `folio_nr_pages()`. */
export function folioNrPages(mem: Memmap, folio: Folio): number {
  return (mem.flags[folio] & PG.head) !== 0 ? 1 << mem.index[folio + 1] : 1;
}

/** Linux: `folio_test_large()`. */
export function folioTestLarge(mem: Memmap, folio: Folio): boolean {
  return (mem.flags[folio] & PG.head) !== 0;
}

/** Makes 2^order pages, each as new, one compound. Linux: `prep_compound_page()`. */
export function prepCompound(mem: Memmap, head: Pfn, order: number): Folio {
  assert(order > 0, "a compound has order 1 or more");
  mem.flags[head] |= PG.head;
  const end = head + (1 << order);
  for (let tail = head + 1; tail < end; tail++) {
    mem.flags[tail] |= PG.tail;
    mem.private[tail] = head;
    mem.refcount[tail] = 0;
  }
  const first = head + 1;
  mem.index[first] = order;
  mem.mapping[first] = 0;
  mem.next[first] = 0;
  return head as Folio;
}

/** Undoes `prepCompound`; the pages are about to be freed or to go their own ways. */
export function unprepCompound(mem: Memmap, head: Folio): void {
  const end = head + folioNrPages(mem, head);
  const first = head + 1;
  assert(mem.mapping[first] === 0, "a compound is still mapped whole:", head, mem.mapping[first]);
  assert(mem.next[first] === 0, "a compound is still pinned:", head, mem.next[first]);
  mem.index[first] = 0;
  mem.next[first] = NOT_LINKED;
  mem.flags[head] &= ~PG.head;
  for (let tail = first; tail < end; tail++) {
    mem.flags[tail] &= ~PG.tail;
    mem.private[tail] = 0;
  }
}

/**
 * Huge entries that map the folio, each all of it: one mapping and one reference each, and none of
 * them in any page's own `mapcount`. Linux: `folio_entire_mapcount()`.
 */
export function folioEntireMapcount(mem: Memmap, folio: Folio): number {
  return (mem.flags[folio] & PG.head) !== 0 ? mem.mapping[folio + 1] : 0;
}

/** Entries of both sizes that map the page. Linux: `page_mapcount()`. */
export function pageMapcount(mem: Memmap, page: Pfn): number {
  return mem.mapcount[page] + folioEntireMapcount(mem, pageFolio(mem, page));
}

/** Page table entries that map any part of the folio. Linux: `folio_mapcount()`. */
export function folioMapcount(mem: Memmap, folio: Folio): number {
  if ((mem.flags[folio] & PG.head) === 0) return mem.mapcount[folio];
  let count = mem.mapping[folio + 1];
  const end = folio + folioNrPages(mem, folio);
  for (let page: number = folio; page < end; page++) count += mem.mapcount[page];
  return count;
}

/** Linux: `folio_mapped()`. */
export function folioMapped(mem: Memmap, folio: Folio): boolean {
  if ((mem.flags[folio] & PG.head) === 0) return mem.mapcount[folio] !== 0;
  if (mem.mapping[folio + 1] !== 0) return true;
  const end = folio + folioNrPages(mem, folio);
  for (let page: number = folio; page < end; page++) if (mem.mapcount[page] !== 0) return true;
  return false;
}
