/**
 * References: a folio lives while somebody holds one.
 *
 * Life of the count: 0 while free, 1 from the allocator, up and down with every holder, 0 again at
 * the last put, which frees the folio on the spot. A freeze takes it from exactly n to 0 for as
 * long as a swap of owners takes: whoever looks the folio up then (`folioTryGet`) fails and comes
 * again. Tails have no count of their own. Linux: include/linux/page_ref.h.
 */
import { assert } from "../base/assert.ts";
import { GUP_PIN_COUNTING_BIAS } from "./constants.ts";
import { folioTestLarge } from "./folio.ts";
import type { Folio } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { freeFolio } from "./page-free.ts";

/** One more reference, by somebody who holds one. Linux: `folio_get()`. */
export function folioGet(mem: Memory, folio: Folio): void {
  assert(mem.refcount[folio] > 0, "get of a folio that nobody holds:", folio);
  mem.refcount[folio]++;
}

/** One reference, unless the folio is free or frozen. Linux: `folio_try_get()`. */
export function folioTryGet(mem: Memory, folio: Folio): boolean {
  if (mem.refcount[folio] === 0) return false;
  mem.refcount[folio]++;
  return true;
}

/** Gives a reference back; the last one frees the folio. Linux: `folio_put()`. */
export function folioPut(mem: Memory, folio: Folio): void {
  const left = mem.refcount[folio] - 1;
  assert(left >= 0, "put of a folio that nobody holds:", folio);
  mem.refcount[folio] = left;
  if (left === 0) freeFolio(mem, folio);
}

/** Gives `count` references back at once. Linux: `folio_put_refs()`. */
export function folioPutRefs(mem: Memory, folio: Folio, count: number): void {
  const left = mem.refcount[folio] - count;
  assert(left >= 0, "more references put than there are:", folio, count);
  mem.refcount[folio] = left;
  if (left === 0) freeFolio(mem, folio);
}

/** Takes the count from exactly `count` to 0, or leaves it. Linux: `folio_ref_freeze()`. */
export function folioRefFreeze(mem: Memory, folio: Folio, count: number): boolean {
  if (mem.refcount[folio] !== count) return false;
  mem.refcount[folio] = 0;
  return true;
}

/** Ends a freeze. Linux: `folio_ref_unfreeze()`. */
export function folioRefUnfreeze(mem: Memory, folio: Folio, count: number): void {
  assert(mem.refcount[folio] === 0, "unfreeze of a folio that is not frozen:", folio);
  assert(count > 0, "unfreeze to no reference:", folio);
  mem.refcount[folio] = count;
}

/**
 * A pin: a promise that a device may use the bytes where they lie, so the folio must not move.
 *
 * Small folios count a pin as 1024 references; large ones as one, with a count of pins beside it.
 * False if the folio is free or frozen. Linux: `try_grab_folio(FOLL_PIN)`.
 */
export function folioTryPin(mem: Memory, folio: Folio): boolean {
  if (mem.refcount[folio] === 0) return false;
  if (folioTestLarge(mem, folio)) {
    mem.refcount[folio]++;
    mem.next[folio + 1]++;
  } else {
    mem.refcount[folio] += GUP_PIN_COUNTING_BIAS;
  }
  return true;
}

/** Linux: `gup_put_folio(FOLL_PIN)`, `unpin_user_page()`. */
export function folioUnpin(mem: Memory, folio: Folio): void {
  if (folioTestLarge(mem, folio)) {
    assert(mem.next[folio + 1] > 0, "unpin of a folio that is not pinned:", folio);
    mem.next[folio + 1]--;
    folioPut(mem, folio);
  } else {
    folioPutRefs(mem, folio, GUP_PIN_COUNTING_BIAS);
  }
}

/** True for a pinned folio, and for a small one with 1024 other references. */
export function folioMaybeDmaPinned(mem: Memory, folio: Folio): boolean {
  if (folioTestLarge(mem, folio)) return mem.next[folio + 1] > 0;
  return mem.refcount[folio] >= GUP_PIN_COUNTING_BIAS;
}
