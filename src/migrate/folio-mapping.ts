/**
 * The swap: `dst` takes the place of `src` in its mapping, in one atomic step.
 *
 * With a mapping the source's count is frozen at exactly what it should be: a reference more means
 * that somebody else uses the folio, and the move is off ("EAGAIN"). While frozen, whoever looks
 * the folio up fails and tries again. Then everything that `dst` needs to be found is set before
 * the slot shows it. Without a mapping nobody can find the folio, and comparing is enough.
 *
 * After "moved" there is no way back: the caller must complete. Both folios are locked.
 * Linux: `folio_migrate_mapping()`, mm/migrate.c, 6.1.
 */
import { folioNrPages } from "../memory/folio.ts";
import { folioRefFreeze, folioRefUnfreeze } from "../memory/folio-ref.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { moveDirtyCount } from "../pagecache/dirty-account.ts";
import type { Steps } from "../sched/blocking.ts";
import { folioTestSwapcache, replaceInSwapCache } from "../vm/swap/swap-cache.ts";

/** References of an unmapped folio that only its mapping and its isolator hold. */
export function folioExpectedRefs(mem: Memory, mapping: AddressSpace | null, folio: Folio): number {
  if (mapping === null) return 1;
  return 1 + folioNrPages(mem, folio) + (testFlag(mem, folio, PG.private) ? 1 : 0);
}

/** `extraRefs` are those that the owner holds beyond the usual. */
export function* folioMigrateMapping(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  extraRefs: number,
): Steps<"moved" | "EAGAIN"> {
  const expected = folioExpectedRefs(mem, mapping, src) + extraRefs;
  yield "migrate-mapping-count";
  if (mapping === null) {
    if (mem.refcount[src] !== expected) return refuseCount(mem, src, expected);
    takeIdentity(mem, dst, src);
    return "moved";
  }
  if (!folioRefFreeze(mem, src, expected)) return refuseCount(mem, src, expected);
  swapInMapping(mem, mapping, dst, src, expected);
  return "moved";
}

function swapInMapping(
  mem: Memory,
  mapping: AddressSpace,
  dst: Folio,
  src: Folio,
  expected: number,
): void {
  const pages = folioNrPages(mem, src);
  takeIdentity(mem, dst, src);
  mem.refcount[dst] += pages;
  if (testFlag(mem, src, PG.dirty)) {
    // The slot keeps its marks, so nothing is counted: the folio changes under them.
    clearFlag(mem, src, PG.dirty);
    setFlag(mem, dst, PG.dirty);
  }
  if (folioTestSwapcache(mem, src)) replaceInSwapCache(mem, mapping, dst, src);
  else mapping.folios.replace(mem.index[src], src, dst, pages);
  folioRefUnfreeze(mem, src, expected - pages);
  moveCounters(mem, mapping, dst, src, pages);
}

function takeIdentity(mem: Memory, dst: Folio, src: Folio): void {
  mem.index[dst] = mem.index[src];
  mem.mapping[dst] = mem.mapping[src];
  mem.flags[dst] |= mem.flags[src] & PG.swapbacked;
}

/** Counters of cached pages follow the folio to another zone. */
function moveCounters(
  mem: Memory,
  mapping: AddressSpace,
  dst: Folio,
  src: Folio,
  pages: number,
): void {
  const fromZone = mem.zoneOf(src);
  const toZone = mem.zoneOf(dst);
  if (fromZone === toZone) return;
  moveDirtyCount(mem, mapping, dst, src, pages);
  const from = fromZone.pgdat;
  const to = toZone.pgdat;
  from.filePages -= pages;
  to.filePages += pages;
  if (!testFlag(mem, src, PG.swapbacked)) return;
  if (folioTestSwapcache(mem, src)) {
    from.swapcachePages -= pages;
    to.swapcachePages += pages;
    return;
  }
  from.shmemPages -= pages;
  to.shmemPages += pages;
}

function refuseCount(mem: Memory, src: Folio, expected: number): "EAGAIN" {
  mem.events.refusals.refuse("refcount", mem.refcount[src], expected);
  return "EAGAIN";
}
