/**
 * A process uses a page that is in swap.
 *
 * Order of steps: find the folio in the swap cache, or read it in; lock it, which waits for the
 * read; see that it still stands for the slot; see that the entry is still the one that faulted;
 * give the entry's claim on the slot back, and the slot itself if nobody else needs it and the
 * page is to be written; map. Whatever has changed meanwhile ends in "again": the use starts over.
 *
 * A page that was its process's alone when it went out is so again. One slot may stand for a page
 * that KSM had merged: who comes first gets the folio, the others a copy, as no reverse map leads
 * from it to both. A slot that one entry names, on a device that answers at once, is read without
 * the cache: then nobody else may read it, and who tries sleeps until it is done (the kernel polls,
 * once a tick).
 *
 * Protection: the folio's lock, then each plain function is a section under the page table lock.
 * Linux: `do_swap_page()`, mm/memory.c, 6.1 with the claim of 6.1.79 on reads without the cache.
 */

import { VM_EVENT } from "../../events/vmstat.ts";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE } from "../../memory/gfp.ts";
import { folioAddLru, lruAddDrain } from "../../memory/lru.ts";
import {
  folioTestAnon,
  folioTestKsm,
  MAPPING_ANON,
  mappingWord,
} from "../../memory/mapping-word.ts";
import { type Folio, type Pfn, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { filemapGetFolio } from "../../pagecache/page-cache.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { folioStableNode } from "../ksm/stable-tree.ts";
import { VM, type Vma } from "../mm.ts";
import { allocVmaFolio } from "../policy/policy-node.ts";
import { PTE } from "../pte.ts";
import { addRmap, setAnonOwner } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import type { Swap } from "./swap.ts";
import { folioFreeSwap } from "./swap-cache.ts";
import type { SwapEntry } from "./swap-entry.ts";
import { allocSwapFolio, readSwapCache, startSwapIn } from "./swap-read.ts";
import { noteSwapCacheHit, swapClusterReadahead } from "./swap-readahead.ts";

/** "again": look at the entry again. "SIGBUS": no memory, or the device lost the page. */
export type SwapFaultOutcome = "done" | "again" | "SIGBUS";

/** The use that faulted, and the entry as it was then. */
interface SwapFault {
  readonly vm: Vm;
  readonly swap: Swap;
  readonly vma: Vma;
  readonly vpn: number;
  readonly access: "read" | "write";
  readonly entry: number;
  readonly bits: number;
  readonly slot: SwapEntry;
}

/** Brings the page of a swap entry back; after "done" the entry maps it, writable or not. */
export function* swapFault(
  vm: Vm,
  swap: Swap,
  vma: Vma,
  vpn: number,
  access: "read" | "write",
): Blocking<SwapFaultOutcome> {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.find(vpn);
  const slot = tables.pfn(entry) as SwapEntry;
  const fault = { vm, swap, vma, vpn, access, entry, bits: tables.bits(entry), slot };
  let folio = yield* filemapGetFolio(mem, swap.mapping, slot);
  if (folio === null) {
    if (!isCurrent(fault)) return "again";
    if (swap.area(slot).synchronous && swap.count(slot) === 1) return yield* readAlone(fault);
    const reads = swap.area(slot).rotational ? swapClusterReadahead : readSwapCache;
    const read = yield* reads(swap, slot, () => newFolio(fault));
    if (read === "ENOENT") return "again";
    if (read === "ENOMEM") return isCurrent(fault) ? "SIGBUS" : "again";
    mem.events.count(VM_EVENT.pgmajfault, 1);
    folio = read;
  } else {
    noteSwapCacheHit(swap, folio);
  }
  yield "swap-fault-found";
  yield* folioLock(mem, folio);
  const copies = needsCopy(fault, folio);
  const outcome = copies ? yield* mapCopy(fault, folio) : mapCached(fault, folio);
  folioUnlock(mem, folio);
  // The entry has the reference, but for a copy, which has come with one of its own.
  if (outcome !== "done" || copies) folioPut(mem, folio);
  return outcome;
}

/** By the policy of the VMA, as any page of it. */
function newFolio({ vm, vma, vpn }: SwapFault): Blocking<Folio | null> {
  return allocVmaFolio(vm.mem, vma, vpn, 0, GFP_HIGHUSER_MOVABLE);
}

/** Whether the entry is still the one that faulted, and lies in the same VMA. */
function isCurrent({ vm, vma, vpn, entry, bits, slot }: SwapFault): boolean {
  const { tables } = vm;
  return (
    vma.mm.vmaAt(vpn) === vma &&
    vma.mm.directory.find(vpn) === entry &&
    tables.bits(entry) === bits &&
    tables.pfn(entry) === (slot as number)
  );
}

/** Why the locked folio is not what the entry wants, or null. */
function refusal(fault: SwapFault, folio: Folio): SwapFaultOutcome | null {
  const { vm, swap, slot } = fault;
  const { mem } = vm;
  // The cache's slot named it when it was not locked: it may have left the cache since.
  if (swap.mapping.folios.load(slot) !== folio) return "again";
  if (!isCurrent(fault)) return "again";
  if (!testFlag(mem, folio, PG.uptodate)) return "SIGBUS";
  return null;
}

/**
 * Whether the folio's reverse map would not lead to this process: the slot was a merged page's, and
 * whoever came first has made the folio its own. Linux: `ksm_might_need_to_copy()`.
 */
function needsCopy({ vm, vma, vpn, slot }: SwapFault, folio: Folio): boolean {
  const { mem } = vm;
  if (!folioTestAnon(mem, folio)) return false;
  if (folioTestKsm(mem, folio)) return folioStableNode(vm, folio) === null;
  const offset = mem.index[folio] + (slot - mem.private[folio]);
  const isOwn = mem.mapping[folio] === mappingWord(vma.anonVma?.id ?? -1, MAPPING_ANON);
  return !isOwn || offset !== vma.pgoff + (vpn - vma.startVpn);
}

/** Gives the process a page of its own, with the bytes of the locked folio. */
function* mapCopy(fault: SwapFault, folio: Folio): Blocking<SwapFaultOutcome> {
  const { vm, swap, slot } = fault;
  const { mem } = vm;
  const refused = refusal(fault, folio);
  if (refused !== null) return refused;
  const copy = yield* allocSwapFolio(mem, () => newFolio(fault));
  if (copy === null) return isCurrent(fault) ? "SIGBUS" : "again";
  mem.frames.copy(copy, (folio + (slot - mem.private[folio])) as Pfn);
  yield "swap-in-copied";
  const isStill = isCurrent(fault);
  if (isStill) {
    mem.flags[copy] |= PG.uptodate | PG.dirty;
    swap.free(slot);
    if (shouldTryToFreeSwap(fault, folio)) folioFreeSwap(swap, folio);
    mapSwappedIn(fault, copy, copy, true);
    folioAddLru(mem, copy);
  }
  folioUnlock(mem, copy);
  if (!isStill) folioPut(mem, copy);
  return isStill ? "done" : "again";
}

/** Maps the locked folio if it is still the entry's; its reference is then the entry's too. */
function mapCached(fault: SwapFault, folio: Folio): SwapFaultOutcome {
  const { vm, swap, access, slot, bits } = fault;
  const { mem } = vm;
  // A batch's reference is nobody's: it must not cost a copy.
  if (access === "write" && !testFlag(mem, folio, PG.lru)) lruAddDrain(mem);
  const refused = refusal(fault, folio);
  if (refused !== null) return refused;
  const page = (folio + (slot - mem.private[folio])) as Pfn;
  let isExclusive = (bits & PTE.swapExclusive) !== 0;
  // While the device reads the page nobody may write to it.
  const { stableWrites } = swap.area(slot);
  if (isExclusive && stableWrites && testFlag(mem, folio, PG.writeback)) isExclusive = false;
  swap.free(slot);
  if (shouldTryToFreeSwap(fault, folio)) folioFreeSwap(swap, folio);
  const isAlone = isExclusive || mem.refcount[folio] === 1;
  mapSwappedIn(fault, folio, page, isAlone && !folioTestKsm(mem, folio));
  return "done";
}

/** Linux: `should_try_to_free_swap()`; half-full swap is not looked at, which is memcg's. */
function shouldTryToFreeSwap({ vm, vma, access }: SwapFault, folio: Folio): boolean {
  const { mem } = vm;
  if ((vma.flags & VM.locked) !== 0 || testFlag(mem, folio, PG.mlocked)) return true;
  // The cache's and ours: the page could be written to without a copy.
  return access === "write" && !folioTestKsm(mem, folio) && mem.refcount[folio] === 2;
}

function mapSwappedIn(fault: SwapFault, folio: Folio, page: Pfn, isExclusive: boolean): void {
  const { vm, vma, vpn, access, entry, bits } = fault;
  const { mem } = vm;
  const isWriteProtected = (bits & PTE.uffdWp) !== 0;
  let mapped = PTE.present | PTE.young | (bits & (PTE.softDirty | PTE.uffdWp));
  if (isExclusive && access === "write" && !isWriteProtected) mapped |= PTE.write | PTE.dirty;
  if (!folioTestAnon(mem, folio)) setAnonOwner(mem, folio, vma, vpn);
  if (isExclusive) setFlag(mem, page, PG.anonExclusive);
  addRmap(mem, page, vma);
  vm.tables.set(entry, page, mapped);
  vma.mm.swapEntries--;
  vma.mm.rssPages++;
}

/** Reads the page past the cache, for the one process that can want it. */
function* readAlone(fault: SwapFault): Blocking<SwapFaultOutcome> {
  const { vm, swap, slot } = fault;
  const { mem } = vm;
  yield "swap-alone-claim";
  const claim = swap.prepareCache(slot);
  if (claim !== "claimed") {
    if (claim === "EEXIST" && swap.isClaimed(slot)) yield swap.claimed;
    return "again";
  }
  const folio = yield* allocSwapFolio(mem, () => newFolio(fault));
  let outcome: SwapFaultOutcome = "SIGBUS";
  if (folio !== null) {
    mem.events.count(VM_EVENT.pgmajfault, 1);
    startSwapIn(swap, folio, slot);
    yield "swap-alone-read";
    yield* folioLock(mem, folio);
    outcome = mapAlone(fault, folio);
    folioUnlock(mem, folio);
    if (outcome !== "done") folioPut(mem, folio);
  }
  swap.dropCache(slot);
  swap.claimed.wakeAll();
  return outcome;
}

function mapAlone(fault: SwapFault, folio: Folio): SwapFaultOutcome {
  const { vm, swap, slot } = fault;
  if (!isCurrent(fault)) return "again";
  if (!testFlag(vm.mem, folio, PG.uptodate)) return "SIGBUS";
  swap.free(slot);
  mapSwappedIn(fault, folio, folio, true);
  return "done";
}
