/**
 * Taking folios off the tail of an LRU list, a batch at a time.
 *
 * Atomic, as the kernel holds `lru_lock` throughout; still a folio may be found that somebody has
 * begun to isolate (no PG_lru) or to free (no reference): it goes to the head and is passed over.
 * Who takes PG_lru away owns the folio, and has a reference to it. Folios of zones that the request
 * cannot use go back to the head together. Linux: `isolate_lru_folios()`, mm/vmscan.c, 6.1.
 */

import { VM_EVENT } from "../../events/vmstat.ts";
import { ZONE_TYPES } from "../../memory/constants.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioTryGet } from "../../memory/folio-ref.ts";
import { lruUnlink } from "../../memory/lru-list.ts";
import type { Folio, PageList } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import type { LruList } from "../../memory/node.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAdd, listDel, listEmpty, listLast, listSplice } from "../../memory/page-list.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import type { ScanControl } from "./scan-control.ts";

/** By index in ZONE_TYPES. */
const PGSKIP = [
  VM_EVENT.pgskip_dma,
  VM_EVENT.pgskip_dma32,
  VM_EVENT.pgskip_normal,
  VM_EVENT.pgskip_movable,
  VM_EVENT.pgskip_device,
] as const;

/** In pages. */
export interface Isolated {
  readonly taken: number;
  readonly scanned: number;
}

/** Moves up to `pages` pages' worth of folios from the tail of a list to `dst`. */
export function isolateLruFolios(
  sc: ScanControl,
  { node }: NodeReclaim,
  lru: LruList,
  pages: number,
  dst: PageList,
): Isolated {
  const { mem } = sc.reclaimer.vm;
  const src = node.lruLists[lru];
  const skipped = mem.takeList();
  const skippedPages = ZONE_TYPES.map(() => 0);
  let taken = 0;
  let scanned = 0;
  let total = 0;
  while (scanned < pages && !listEmpty(mem, src)) {
    const folio = listLast(mem, src) as Folio;
    const folioPages = folioNrPages(mem, folio);
    total += folioPages;
    const zone = ZONE_TYPES.indexOf(mem.zoneOf(folio).type);
    if (zone > sc.highestZone) {
      skippedPages[zone] += folioPages;
      listDel(mem, folio);
      listAdd(mem, skipped, folio);
      continue;
    }
    scanned += folioPages;
    if (takeOffLru(mem, folio)) {
      taken += folioPages;
      listAdd(mem, dst, folio);
    } else {
      listDel(mem, folio);
      listAdd(mem, src, folio);
    }
  }
  listSplice(mem, skipped, src);
  mem.releaseList(skipped);
  for (const [zone, count] of skippedPages.entries()) {
    if (count > 0) mem.events.count(PGSKIP[zone], count);
  }
  return { taken, scanned: total };
}

/** False if somebody else has it. */
function takeOffLru(mem: Memory, folio: Folio): boolean {
  if ((mem.flags[folio] & PG.lru) === 0 || !folioTryGet(mem, folio)) return false;
  mem.flags[folio] &= ~PG.lru;
  lruUnlink(mem, folio);
  return true;
}
