/**
 * Splitting a large folio into its pages, when no free block is as large as it.
 *
 * Order of steps: give up private state; count the references; hold the anon_vma, for the entries
 * to come back although the process may end; unmap everywhere by migration entries; freeze at
 * exactly the expected count; make each page a folio of its own, locked as the whole was; put the
 * entries back; unlock all but the first. The folio is locked and isolated, and stays both: its
 * first page keeps the lock, every page has one reference for the list that it is on afterwards.
 * Linux: `split_huge_page_to_list()`.
 */
import { VM_EVENT } from "../events/vmstat.ts";
import { folioUnqueueDeferredSplit } from "../memory/deferred-split.ts";
import { folioMapcount, folioMapped, folioNrPages, unprepCompound } from "../memory/folio.ts";
import { folioUnlock } from "../memory/folio-lock.ts";
import { folioRefFreeze, folioRefUnfreeze } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import { splitPageExt } from "../memory/page-ext.ts";
import { PG } from "../memory/page-flags.ts";
import { listAddTail } from "../memory/page-list.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapReleaseFolio } from "../pagecache/page-cache.ts";
import type { Steps } from "../sched/blocking.ts";
import { freezeHugePmd, splitHugePmd } from "./huge/split-pmd.ts";
import { removeMigrationPtes, tryToMigrate } from "./migration-entry.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { folioGetAnonVma, putAnonVma, rmapHugeEntry, rmapVmas } from "./rmap.ts";
import { folioTestSwapcache, splitInSwapCache } from "./swap/swap-cache.ts";
import type { Vm } from "./vm.ts";

/** "EBUSY": in use in a way that a split cannot serve; "EAGAIN": somebody holds a reference. */
export type SplitOutcome = "split" | "EBUSY" | "EAGAIN";

/** What each page inherits from the folio. Linux: the mask in `__split_huge_page_tail()`. */
const INHERITED =
  PG.locked |
  PG.referenced |
  PG.uptodate |
  PG.dirty |
  PG.active |
  PG.workingset |
  PG.ownerPriv1 |
  PG.swapbacked |
  PG.unevictable |
  PG.mlocked |
  PG.young |
  PG.idle;

/** What a page of the folio had of its own. */
const OWN = PG.anonExclusive | PG.hwpoison;

/** Splits the folio; all its pages but the first go to the end of `pieces`, in order. */
export function* splitFolioToList(vm: Vm, folio: Folio, pieces: PageList): Steps<SplitOutcome> {
  const { mem } = vm;
  if ((mem.flags[folio] & PG.writeback) !== 0) return "EBUSY";
  const outcome = yield* trySplit(vm, folio, pieces);
  const { thp_split_page, thp_split_page_failed } = VM_EVENT;
  mem.events.count(outcome === "split" ? thp_split_page : thp_split_page_failed, 1);
  return outcome;
}

function* trySplit(vm: Vm, folio: Folio, pieces: PageList): Steps<SplitOutcome> {
  const { mem } = vm;
  const mapping = vm.cache.folioMapping(folio);
  if (mem.mapping[folio] === 0) return "EBUSY";
  if (mapping !== null && !(yield* filemapReleaseFolio(mem, mapping, folio))) return "EBUSY";
  const pages = folioNrPages(mem, folio);
  const wasMapped = folioMapped(mem, folio);
  const expected = 1 + (mapping === null ? 0 : pages);
  // Somebody else holds it: not worth the unmapping. Linux: `can_split_folio()`.
  if (mem.refcount[folio] !== expected + folioMapcount(mem, folio)) return "EAGAIN";
  const anonVma = folioTestAnon(mem, folio) ? folioGetAnonVma(vm, folio) : null;
  if (wasMapped) yield* unmapFolio(vm, folio);
  yield "split-folio-count";
  const isAlone = !folioMapped(mem, folio) && folioRefFreeze(mem, folio, expected);
  if (isAlone) makeFolios(vm, mapping, folio, pages, pieces);
  if (wasMapped) yield* remapPages(vm, folio, isAlone ? pages : 1);
  // Who meets an entry of a piece waits for that piece's lock: so this comes last.
  if (isAlone) for (let at = 1; at < pages; at++) folioUnlock(mem, (folio + at) as Folio);
  if (anonVma !== null) putAnonVma(vm, anonVma);
  return isAlone ? "split" : "EAGAIN";
}

/** After a split each page finds its own entries; before, the folio finds those of all. */
function* remapPages(vm: Vm, folio: Folio, folios: number): Steps<void> {
  for (let at = 0; at < folios; at++) {
    const page = (folio + at) as Folio;
    yield* removeMigrationPtes(vm, page, page);
  }
}

/** Takes every mapping away, huge ones first. Linux: `unmap_folio()`. */
function* unmapFolio(vm: Vm, folio: Folio): Steps<void> {
  const { mem, tables } = vm;
  for (const vma of rmapVmas(vm, folio)) {
    yield "split-huge-entry";
    const entry = rmapHugeEntry(vma, mem.index[folio]);
    if (entry === NO_ENTRY || tables.pfn(entry) !== (folio as number)) continue;
    const vpn = vma.startVpn + (mem.index[folio] - vma.pgoff);
    if (vma.mapping === null) freezeHugePmd(vm, vma, vpn, folio);
    else splitHugePmd(vm, vma, vpn);
  }
  if (folioMapped(mem, folio)) yield* tryToMigrate(vm, folio);
}

function makeFolios(
  vm: Vm,
  mapping: AddressSpace | null,
  folio: Folio,
  pages: number,
  pieces: PageList,
): void {
  const { mem } = vm;
  const inherited = mem.flags[folio] & INHERITED;
  const references = 1 + (mapping === null ? 0 : 1);
  folioUnqueueDeferredSplit(mem, folio);
  unprepCompound(mem, folio);
  if (mapping !== null && folioTestSwapcache(mem, folio)) {
    splitInSwapCache(mem, mapping, folio, pages);
  } else {
    mapping?.folios.split(mem.index[folio], folio, pages);
  }
  folioRefUnfreeze(mem, folio, references);
  if (mem.pageExt !== null) splitPageExt(mem.pageExt, folio, pages);
  for (let at = 1; at < pages; at++) {
    const page = (folio + at) as Pfn;
    const offset = mem.index[folio] + at;
    mem.flags[page] = (mem.flags[page] & OWN) | inherited;
    mem.mapping[page] = mem.mapping[folio];
    mem.index[page] = offset;
    mem.refcount[page] = references;
    listAddTail(mem, pieces, page);
  }
}
