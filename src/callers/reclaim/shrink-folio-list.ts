/**
 * Freeing what can be freed of a list of isolated folios, and saying of each why it stays.
 *
 * The order of tests is fixed: cheap ones first, and what cannot be undone last. Folio lock;
 * mlocked or not; under writeback; referenced; room in swap; out of the page tables; written if
 * dirty; private state; freeze and removal. Between any two others may run: each step looks again
 * at what it needs. Folios that are freed stay off every list, with no reference, until the end,
 * when they go back to the allocator together.
 *
 * Kept here is the place of demotion: after the references, before swap. Linux:
 * `shrink_folio_list()`, mm/vmscan.c, 6.1; an owner is not asked for `is_dirty_writeback`.
 */
import { assert } from "../../base/assert.ts";
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { isolatedClass } from "../../memory/lru-list.ts";
import { type Folio, type PageList, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { freeFrozenFolios } from "../../memory/page-free.ts";
import { listAdd, listDel, listEmpty, listLast, listSplice } from "../../memory/page-list.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { folioFreeSwap, folioTestSwapcache } from "../../vm/swap/swap-cache.ts";
import { FOLIO_OUTCOMES, type FolioOutcome } from "./outcomes.ts";
import { reclaimFolio } from "./reclaim-folio.ts";
import type { ScanControl } from "./scan-control.ts";

/** What one list held, in pages. Linux: `struct reclaim_stat`. */
export class ReclaimStat {
  dirty = 0;
  unqueuedDirty = 0;
  congested = 0;
  writeback = 0;
  immediate = 0;
  pageout = 0;
  /** [0] anonymous, [1] of files. */
  readonly activate: [anon: number, file: number] = [0, 0];
  referenceKept = 0;
  unmapFailed = 0;
  /** Given up by their process, and then written after all. */
  lazyfreeFailed = 0;
}

/** Whether a folio that is in use may stay for that reason. */
export type References = "checked" | "ignored";

/** One list on its way through. */
export class ShrinkPass {
  readonly sc: ScanControl;
  /** Folios to come, the last first; the pieces of a split folio join them. */
  readonly list: PageList;
  readonly references: References;
  readonly stat: ReclaimStat = new ReclaimStat();
  reclaimed = 0;

  constructor(sc: ScanControl, list: PageList, references: References) {
    this.sc = sc;
    this.list = list;
    this.references = references;
  }
}

/** Empties `list` but for the folios that stay; they are unlocked and wait to be put back. */
export function* shrinkFolioList(pass: ShrinkPass): Blocking<number> {
  const { sc, list } = pass;
  const { mem } = sc.reclaimer.vm;
  const staying = mem.takeList();
  const freed = mem.takeList();
  while (!listEmpty(mem, list)) {
    yield "shrink-folio-next";
    const folio = listLast(mem, list) as Folio;
    listDel(mem, folio);
    const outcome = yield* shrinkFolio(pass, folio);
    sc.reclaimer.outcomes[outcome]++;
    listAdd(mem, outcome === "freed" ? freed : staying, folio);
  }
  const { activate } = pass.stat;
  freeFrozenFolios(mem, freed);
  mem.releaseList(freed);
  listSplice(mem, staying, list);
  mem.releaseList(staying);
  mem.events.count(VM_EVENT.pgactivate, activate[0] + activate[1]);
  return pass.reclaimed;
}

/** Tries one folio; it is unlocked at the end, with its outcome carried out. */
function* shrinkFolio(pass: ShrinkPass, folio: Folio): Blocking<FolioOutcome> {
  const { sc, stat } = pass;
  const { mem, swap } = sc.reclaimer.vm;
  if (!folioTrylock(mem, folio)) return "locked";
  assert(!testFlag(mem, folio, PG.active), "an active folio is to be reclaimed:", folio);
  sc.scanned += folioNrPages(mem, folio);
  const outcome = yield* reclaimFolio(pass, folio);
  if (outcome === "freed") {
    pass.reclaimed += folioNrPages(mem, folio);
    return outcome;
  }
  const [place] = FOLIO_OUTCOMES[outcome];
  if (place === "activate") {
    const isMlocked = testFlag(mem, folio, PG.mlocked);
    const isCached = swap !== null && folioTestSwapcache(mem, folio);
    if (isCached && (isMlocked || swap.isNearlyFull)) folioFreeSwap(swap, folio);
    if (!isMlocked) {
      setFlag(mem, folio, PG.active);
      stat.activate[isolatedClass(mem, folio)] += folioNrPages(mem, folio);
    }
  }
  if (outcome !== "write_begun") folioUnlock(mem, folio);
  return outcome;
}
