/**
 * What each page of a machine is now, in the classes of a snapshot.
 *
 * Pages with an owner are told by their mapping word and by having a slot in swap; the rest have
 * not moved and are what they were. For maps of before and after.
 */
import type { Machine } from "../machine/machine.ts";
import { buddyOrder, pageBuddy } from "../memory/buddy.ts";
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { folioOrder, pageFolio } from "../memory/folio.ts";
import { folioTestAnon, folioTestKsm } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import { PAGE_KIND, type PageKind } from "./page-kinds.ts";
import type { Snapshot } from "./snapshot.ts";

/** By pfn, `PAGE_KIND`. */
export function kindsOfMachine({ mem }: Machine, snapshot: Snapshot): Uint8Array {
  const kinds = new Uint8Array(mem.pageCount);
  for (let at = 0; at < mem.pageCount; at++) {
    const pfn = at as Pfn;
    if (pageBuddy(mem, pfn)) {
      const end = at + (1 << buddyOrder(mem, pfn));
      kinds.fill(PAGE_KIND.free, at, end);
      at = end - 1;
      continue;
    }
    const folio = pageFolio(mem, pfn);
    if (mem.mapping[folio] !== 0 || folioTestSwapcache(mem, folio))
      kinds[pfn] = ownedKind(mem, folio);
    else if (mem.refcount[folio] === 0 && mem.flags[folio] === 0) kinds[pfn] = PAGE_KIND.unknown;
    else kinds[pfn] = snapshot.kind[pfn];
  }
  return kinds;
}

function ownedKind(mem: Memory, folio: Folio): PageKind {
  const isHuge = folioOrder(mem, folio) >= PAGEBLOCK_ORDER;
  if (folioTestKsm(mem, folio)) return PAGE_KIND.ksm;
  if (folioTestSwapcache(mem, folio)) return PAGE_KIND.swapCache;
  if (folioTestAnon(mem, folio)) return isHuge ? PAGE_KIND.anonymousHuge : PAGE_KIND.anonymous;
  if (isHuge) return PAGE_KIND.fileHuge;
  return (mem.flags[folio] & PG.swapbacked) !== 0 ? PAGE_KIND.shmem : PAGE_KIND.file;
}
