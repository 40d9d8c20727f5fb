/**
 * Reclaim of folios that others have isolated: by advice, or because a range must be empty.
 *
 * Neither looks at references: the caller has decided. What stays is back on the caller's list, and
 * the caller's to put back. Linux: `reclaim_pages()`, `reclaim_clean_pages_from_list()`,
 * mm/vmscan.c, 6.1.
 */
import { withMemalloc } from "../../memory/capture.ts";
import { ZONE_TYPES } from "../../memory/constants.ts";
import { GFP_KERNEL } from "../../memory/gfp.ts";
import { isolatedClass } from "../../memory/lru-list.ts";
import { MAPPING_FLAGS, MAPPING_MOVABLE } from "../../memory/mapping-word.ts";
import { clearFlag, type Folio, type PageList, type Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Node } from "../../memory/node.ts";
import { PG } from "../../memory/page-flags.ts";
import {
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listIsEnd,
  listSplice,
} from "../../memory/page-list.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Reclaimer } from "./reclaimer.ts";
import { ScanControl } from "./scan-control.ts";
import { ShrinkPass, shrinkFolioList } from "./shrink-folio-list.ts";

/** MADV_PAGEOUT: frees what it can, writing if need be. Not counted as isolated. */
export function* reclaimPages(reclaimer: Reclaimer, list: PageList): Blocking<number> {
  const { mem } = reclaimer.vm;
  for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
    clearFlag(mem, at, PG.active);
  }
  if (listEmpty(mem, list)) return 0;
  const pass = new ShrinkPass(adviceControl(reclaimer), list, "ignored");
  return yield* withMemalloc(mem, () => shrinkFolioList(pass));
}

/**
 * Drops the clean pages of files of one node's list, which the caller has counted as isolated, as
 * that is cheaper than to move them. Returns pages.
 */
export function* reclaimCleanPagesFromList(
  reclaimer: Reclaimer,
  node: Node,
  list: PageList,
): Blocking<number> {
  const { mem } = reclaimer.vm;
  const clean = mem.takeList();
  for (let at = listFirst(mem, list); !listIsEnd(list, at); ) {
    const folio = at as Folio;
    at = mem.next[at] as Pfn;
    if (!isCleanFile(mem, folio)) continue;
    clearFlag(mem, folio, PG.active);
    listDel(mem, folio);
    listAddTail(mem, clean, folio);
  }
  const sc = adviceControl(reclaimer);
  sc.mayWritepage = false;
  sc.maySwap = false;
  const pass = new ShrinkPass(sc, clean, "ignored");
  const freed = yield* withMemalloc(mem, () => shrinkFolioList(pass));
  listSplice(mem, clean, list);
  mem.releaseList(clean);
  // A page that its process has written after all is anonymous again, and put back as such.
  const { lazyfreeFailed } = pass.stat;
  node.isolatedPages[1] -= freed + lazyfreeFailed;
  node.isolatedPages[0] += lazyfreeFailed;
  return freed;
}

function isCleanFile(mem: Memory, folio: Folio): boolean {
  if ((mem.flags[folio] & (PG.hugetlb | PG.dirty | PG.unevictable)) !== 0) return false;
  const isMovable = (mem.mapping[folio] & MAPPING_FLAGS) === MAPPING_MOVABLE;
  return !isMovable && isolatedClass(mem, folio) === 1;
}

function adviceControl(reclaimer: Reclaimer): ScanControl {
  return new ScanControl(reclaimer, {
    by: "direct",
    gfp: GFP_KERNEL,
    order: 0,
    highestZone: ZONE_TYPES.length - 1,
    pagesToReclaim: 0,
  });
}
