/**
 * One locked folio, from the first test to the freeze: the steps of `shrinkFolioList`.
 *
 * Every function returns the outcome that ends the matter, or null: go on. The folio is locked
 * throughout, but for an outcome "write_begun", when its owner has unlocked it, and for "freed".
 * Linux: the body of `shrink_folio_list()`, mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioMapcount, folioMapped, folioNrPages, folioTestLarge } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioMaybeDmaPinned, folioRefFreeze } from "../../memory/folio-ref.ts";
import { folioEvictable, isolatedClass } from "../../memory/lru-list.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { tryToFreeOrphanBuffers } from "../../pagecache/buffers/folio-buffers.ts";
import { filemapReleaseFolio } from "../../pagecache/page-cache.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { splitFolioToList } from "../../vm/split-folio.ts";
import { addToSwap, folioTestSwapcache } from "../../vm/swap/swap-cache.ts";
import { tryToUnmap } from "../../vm/try-to-unmap.ts";
import { type FolioReferences, folioCheckReferences } from "./check-references.ts";
import type { FolioOutcome } from "./outcomes.ts";
import { pageout } from "./pageout.ts";
import { removeMapping } from "./remove-mapping.ts";
import type { ShrinkPass } from "./shrink-folio-list.ts";

/** What ends the matter; null: go on with the next step. */
type Verdict = FolioOutcome | null;

export function* reclaimFolio(pass: ShrinkPass, folio: Folio): Blocking<FolioOutcome> {
  const { vm } = pass.sc.reclaimer;
  const { mem } = vm;
  if (!folioEvictable(mem, folio)) return "unevictable";
  const busy = checkWriteback(pass, folio);
  if (busy !== null) return busy;
  let references: FolioReferences = "reclaim";
  if (pass.references === "checked") references = yield* folioCheckReferences(vm, folio);
  if (references === "activate") return "referenced";
  if (references === "keep") {
    pass.stat.referenceKept += folioNrPages(mem, folio);
    return "referenced_once";
  }
  const homeless = yield* giveStorage(pass, folio);
  if (homeless !== null) return homeless;
  const mapped = yield* unmap(pass, folio);
  if (mapped !== null) return mapped;
  if (testFlag(mem, folio, PG.dirty)) {
    const dirty = yield* clean(pass, folio, references);
    if (dirty !== null) return dirty;
  }
  return yield* takeAway(pass, folio);
}

/**
 * Dirty and under writeback, for the round's counts; under writeback, what becomes of it.
 *
 * kswapd that meets a folio again before its write is over has gone through the list faster than
 * storage: it is told to wait. Everybody else marks the folio, so that the end of its write brings
 * it to the tail of the list.
 */
function checkWriteback({ sc, stat }: ShrinkPass, folio: Folio): Verdict {
  const { mem } = sc.reclaimer.vm;
  const pages = folioNrPages(mem, folio);
  const isWriteback = testFlag(mem, folio, PG.writeback);
  // Reclaim itself writes anonymous pages: there is nobody to wait for. Freed lazily, one looks
  // like a file's.
  const isFile = isolatedClass(mem, folio) === 1 && !folioTestAnon(mem, folio);
  const isDirty = isFile && testFlag(mem, folio, PG.dirty);
  if (isDirty || (isFile && isWriteback)) stat.dirty += pages;
  if (isDirty && !isWriteback) stat.unqueuedDirty += pages;
  const comesAgain = isWriteback && testFlag(mem, folio, PG.reclaim);
  if (isFile && comesAgain) stat.congested += pages;
  if (!isWriteback) return null;
  const { meetsWriteback } = sc.reclaimer.nodes[mem.nodeOf(folio).id];
  if (sc.by === "kswapd" && comesAgain && meetsWriteback) {
    stat.immediate += pages;
    return "writeback_immediate";
  }
  setFlag(mem, folio, PG.reclaim);
  stat.writeback += pages;
  return "writeback";
}

/** An anonymous folio needs a slot in swap before its entries can say where it is. */
function* giveStorage(pass: ShrinkPass, folio: Folio): Steps<Verdict> {
  const { sc } = pass;
  const { vm } = sc.reclaimer;
  const { mem } = vm;
  if (!testFlag(mem, folio, PG.swapbacked)) return null;
  const isLarge = folioTestLarge(mem, folio);
  if (!folioTestAnon(mem, folio)) {
    return isLarge && !(yield* split(pass, folio)) ? "split_failed" : null;
  }
  if (folioTestSwapcache(mem, folio)) return null;
  if (!sc.mayStartIo) return "no_io";
  if (folioMaybeDmaPinned(mem, folio)) return "pinned";
  if (isLarge) {
    if (!canSplit(mem, folio)) return "unsplittable";
    // Without an entry for the whole its pages may differ, and some may go without any write.
    const isMappedWhole = mem.mapping[folio + 1] > 0;
    if (!isMappedWhole && !(yield* split(pass, folio))) return "unsplittable";
  }
  if (takeSlots(pass, folio)) return null;
  if (!folioTestLarge(mem, folio)) return "swap_full";
  if (!(yield* split(pass, folio))) return "unsplittable";
  mem.events.count(VM_EVENT.thp_swpout_fallback, 1);
  return takeSlots(pass, folio) ? null : "swap_full";
}

function takeSlots({ sc }: ShrinkPass, folio: Folio): boolean {
  const { swap } = sc.reclaimer.vm;
  return swap !== null && addToSwap(swap, folio);
}

/** The pages but the first join the list; the count of what was looked at is corrected. */
function* split({ sc, list }: ShrinkPass, folio: Folio): Steps<boolean> {
  const { vm } = sc.reclaimer;
  const pages = folioNrPages(vm.mem, folio);
  if ((yield* splitFolioToList(vm, folio, list)) !== "split") return false;
  sc.scanned -= pages - 1;
  return true;
}

/** Nobody but its users and the isolation holds it. Linux: `can_split_folio()`. */
function canSplit(mem: Memory, folio: Folio): boolean {
  const cached = folioTestSwapcache(mem, folio) ? folioNrPages(mem, folio) : 0;
  return folioMapcount(mem, folio) === mem.refcount[folio] - cached - 1;
}

function* unmap({ sc, stat }: ShrinkPass, folio: Folio): Steps<Verdict> {
  const { vm } = sc.reclaimer;
  const { mem } = vm;
  if (!folioMapped(mem, folio)) return null;
  const wasFile = isolatedClass(mem, folio) === 1;
  yield* tryToUnmap(vm, folio);
  if (!folioMapped(mem, folio)) return null;
  const pages = folioNrPages(mem, folio);
  stat.unmapFailed += pages;
  if (wasFile && isolatedClass(mem, folio) === 0) stat.lazyfreeFailed += pages;
  return "still_mapped";
}

/**
 * A dirty folio must be written before it can go. Files' folios are left to writeback, which knows
 * what lies beside them; kswapd writes them when it meets nothing else, and meets them again.
 */
function* clean(pass: ShrinkPass, folio: Folio, references: FolioReferences): Blocking<Verdict> {
  const { sc, stat } = pass;
  const { vm, nodes } = sc.reclaimer;
  const { mem } = vm;
  const pages = folioNrPages(mem, folio);
  if (isolatedClass(mem, folio) === 1) {
    const { meetsDirty } = nodes[mem.nodeOf(folio).id];
    const comesAgain = testFlag(mem, folio, PG.reclaim);
    if (sc.by !== "kswapd" || !comesAgain || !meetsDirty) {
      mem.events.count(VM_EVENT.nr_vmscan_immediate_reclaim, pages);
      setFlag(mem, folio, PG.reclaim);
      return "dirty";
    }
  }
  if (references === "reclaim-clean") return "dirty_referenced";
  if (!mayEnterFs(pass, folio)) return "no_fs";
  if (!sc.mayWritepage) return "no_writepage";
  const outcome = yield* pageout(vm, vm.cache.folioMapping(folio), folio);
  if (outcome === "clean") return null;
  if (outcome !== "success") return outcome;
  stat.pageout += pages;
  // Over already, as a write to memory is: then it can go at once.
  if ((mem.flags[folio] & (PG.writeback | PG.dirty)) !== 0) return "write_begun";
  yield "pageout-over";
  if (!folioTrylock(mem, folio)) return "write_begun";
  if ((mem.flags[folio] & (PG.writeback | PG.dirty)) === 0) return null;
  folioUnlock(mem, folio);
  return "write_begun";
}

/** Swap needs no filesystem, only input and output. Linux: `may_enter_fs()`. */
function mayEnterFs({ sc }: ShrinkPass, folio: Folio): boolean {
  if (sc.mayCallFilesystems) return true;
  return folioTestSwapcache(sc.reclaimer.vm.mem, folio) && sc.mayStartIo;
}

/**
 * Clean and unmapped: private state, then the place in its cache. What is freed is unlocked, and
 * its count frozen at zero.
 */
function* takeAway({ sc }: ShrinkPass, folio: Folio): Steps<FolioOutcome> {
  const { vm } = sc.reclaimer;
  const { mem, cache } = vm;
  const mapping = cache.folioMapping(folio);
  if (mapping === null && testFlag(mem, folio, PG.private)) {
    if (!tryToFreeOrphanBuffers(mem, cache.buffers, folio)) return "private_busy";
    if (folioRefFreeze(mem, folio, 1)) {
      folioUnlock(mem, folio);
      return "freed";
    }
  } else if (mapping !== null && !(yield* filemapReleaseFolio(mem, mapping, folio))) {
    return "private_busy";
  }
  if (folioTestAnon(mem, folio) && !testFlag(mem, folio, PG.swapbacked)) {
    yield "lazyfree-count";
    if (!folioRefFreeze(mem, folio, 1)) return "held";
    mem.events.count(VM_EVENT.pglazyfreed, folioNrPages(mem, folio));
  } else if (mapping === null || !(yield* removeMapping(vm, mapping, folio))) {
    return "held";
  }
  folioUnlock(mem, folio);
  return "freed";
}
