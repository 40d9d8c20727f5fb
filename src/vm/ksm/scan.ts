/**
 * The scan: looks at one page after another of the memory that processes gave to KSM.
 *
 * A page whose equal is merged already joins it. Else, if it has not changed since the last pass,
 * it waits in the unstable tree for an equal that comes later in the same pass; the two become a
 * new merged page. So nothing is merged in the first pass over it.
 *
 * Between the replacing of an entry and the item's joining the node no walk finds the entry: a move
 * that comes there finds the page still mapped, and the scan's reference besides.
 * Linux: `ksm_do_scan()`, `cmp_and_merge_page()`, mm/ksm.c, 6.1.
 */
import { pageFolio } from "../../memory/folio.ts";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrainAll } from "../../memory/lru.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { followPage } from "../follow-page.ts";
import { type Mm, VM, type Vma } from "../mm.ts";
import { getAnonVma } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { breakKsm } from "./break-ksm.ts";
import { pageChecksum, pagesIdentical } from "./contents.ts";
import type { RmapItem } from "./ksm.ts";
import { type MergeOutcome, tryToMergeOnePage } from "./merge-page.ts";
import {
  folioStableNode,
  forgetItem,
  forgetLeaving,
  getKsmFolio,
  removeFromTree,
  removeFromTreeLocked,
  rmapItem,
  stableTreeAppend,
  stableTreeInsert,
} from "./stable-tree.ts";

/** Looks at up to `pages` pages; fewer were left if it says so, and the next scan begins anew. */
export function* ksmScan(vm: Vm, pages: number): Blocking<number> {
  const { ksm, mem } = vm;
  forgetLeaving(vm);
  for (let scanned = 0; scanned < pages; scanned++) {
    const atStart = ksm.scanMm === 0 && ksm.scanVpn === 0;
    if (atStart) lruAddDrainAll(mem);
    const found = yield* nextPage(vm);
    if (found === null) {
      ksm.unstable.clear();
      ksm.scanMm = 0;
      ksm.scanVpn = 0;
      return scanned;
    }
    yield "ksm-next-page";
    yield* cmpAndMergePage(vm, found.item, found.page);
    folioPut(mem, found.page);
  }
  return pages;
}

/** The next page that may be merged, held by a reference; null at the end of a pass. */
function* nextPage(vm: Vm): Blocking<{ item: RmapItem; page: Folio } | null> {
  const { ksm, mms } = vm;
  for (; ksm.scanMm < mms.length; ksm.scanMm++, ksm.scanVpn = 0) {
    const mm = mms[ksm.scanMm];
    for (const vma of mm?.vmas ?? []) {
      if ((vma.flags & VM.mergeable) === 0) continue;
      for (let vpn = Math.max(vma.startVpn, ksm.scanVpn); vpn < vma.endVpn; vpn++) {
        ksm.scanVpn = vpn + 1;
        const page = getMergeablePage(vm, vma, vpn);
        if (page !== null) return { item: rmapItem(ksm, vma.mm, vpn), page };
        yield* forgetItem(vm, vma.mm, vpn);
      }
    }
    if (mm !== undefined) yield* forgetUnmapped(vm, mm);
  }
  return null;
}

/** Items of addresses that are no longer KSM's. Linux: `remove_trailing_rmap_items()`. */
function* forgetUnmapped(vm: Vm, mm: Mm): Blocking<void> {
  for (const vpn of vm.ksm.items.get(mm)?.keys() ?? []) {
    if (mergeableVma(mm, vpn) === null) yield* forgetItem(vm, mm, vpn);
  }
}

/** Linux: `find_mergeable_vma()`. */
function mergeableVma(mm: Mm, vpn: number): Vma | null {
  if (mm.isExiting) return null;
  const vma = mm.vmaAt(vpn);
  return vma !== null && (vma.flags & VM.mergeable) !== 0 ? vma : null;
}

/** Linux: `get_mergeable_page()`. */
function getMergeablePage(vm: Vm, vma: Vma, vpn: number): Folio | null {
  const { mem } = vm;
  const page = followPage(vm, vma, vpn);
  if (typeof page === "string") return null;
  const folio = pageFolio(mem, page);
  if (folioTestAnon(mem, folio) && folio === page) return folio;
  folioPut(mem, folio);
  return null;
}

function* cmpAndMergePage(vm: Vm, item: RmapItem, page: Folio): Blocking<void> {
  const { mem, ksm } = vm;
  const own = folioStableNode(vm, page);
  if (own !== null && item.node === own) return;
  const checksum = pageChecksum(mem, page);
  const merged = yield* stableTreeSearch(vm, page, checksum);
  yield* removeFromTreeLocked(vm, item);
  if (merged !== null) {
    if ((yield* tryToMergeWithKsmPage(vm, item, page, merged)) === "merged") {
      yield* joinNode(vm, merged, [item]);
    }
    folioPut(mem, merged);
    return;
  }
  if (item.checksum !== checksum) {
    item.checksum = checksum;
    return;
  }
  const other = ksm.unstable.get(checksum) ?? item;
  const vma = mergeableVma(other.mm, other.vpn);
  const otherPage = vma === null ? null : getMergeablePage(vm, vma, other.vpn);
  if (otherPage === null || otherPage === page || !pagesIdentical(mem, page, otherPage)) {
    // The other is gone, has changed, or is the same page seen from a fork: this one waits now.
    if (otherPage !== page || other === item) ksm.unstable.set(checksum, item);
  } else {
    yield* mergeTwoPages(vm, [item, page], [other, otherPage]);
  }
  if (otherPage !== null) folioPut(mem, otherPage);
}

/** A merged page that equals `page`, or is it, held by a reference. */
function* stableTreeSearch(vm: Vm, page: Folio, checksum: number): Steps<Folio | null> {
  const { ksm, mem } = vm;
  if (folioStableNode(vm, page) !== null) {
    folioGet(mem, page);
    return page;
  }
  for (const node of [...(ksm.stable.get(checksum) ?? [])]) {
    if (node.items.length >= ksm.maxPageSharing) continue;
    const merged = yield* getKsmFolio(vm, node);
    if (merged === null) continue;
    if (pagesIdentical(mem, page, merged)) return merged;
    folioPut(mem, merged);
  }
  return null;
}

/** Merges with a merged page, or makes a first one with null. The item then holds its anon_vma. */
function* tryToMergeWithKsmPage(
  vm: Vm,
  item: RmapItem,
  page: Folio,
  merged: Folio | null,
): Blocking<MergeOutcome> {
  const { mm, vpn } = item;
  yield* mm.mmapLock.readLock();
  const vma = mergeableVma(mm, vpn);
  let outcome: MergeOutcome = "EFAULT";
  if (vma !== null) outcome = yield* tryToMergeOnePage(vm, vma, vpn, page, merged);
  const anonVma = vma?.anonVma ?? null;
  // Of a process that has begun to end nobody would forget the item. Linux: `ksm_test_exit()`.
  if (outcome === "merged" && anonVma !== null && !mm.isExiting) {
    removeFromTree(vm, item);
    item.anonVma = anonVma;
    getAnonVma(anonVma);
  }
  mm.mmapLock.readUnlock();
  return outcome;
}

/** The first page becomes the merged one; the other process's page goes. */
function* mergeTwoPages(
  vm: Vm,
  [item, page]: [RmapItem, Folio],
  [other, otherPage]: [RmapItem, Folio],
): Blocking<void> {
  if ((yield* tryToMergeWithKsmPage(vm, item, page, null)) === "EFAULT") return;
  if ((yield* tryToMergeWithKsmPage(vm, other, otherPage, page)) === "merged") {
    yield* joinNode(vm, page, [other, item]);
    return;
  }
  // Alone it must not stay marked as merged. Linux: `break_cow()`.
  removeFromTree(vm, item);
  yield* item.mm.mmapLock.readLock();
  // Without memory it stays: no node names it, and the next write to it copies.
  yield* breakKsm(vm, item.mm, item.vpn);
  item.mm.mmapLock.readUnlock();
}

/** Items whose entries map the merged page now; the first makes the node. */
function* joinNode(vm: Vm, merged: Folio, items: readonly RmapItem[]): Blocking<void> {
  const { mem } = vm;
  yield* folioLock(mem, merged);
  // Nobody writes to it any more, so this is the checksum that it keeps.
  const node =
    folioStableNode(vm, merged) ?? stableTreeInsert(vm, merged, pageChecksum(mem, merged));
  for (const item of items) {
    // Its process may have ended since.
    if (item.anonVma !== null) stableTreeAppend(node, item);
  }
  folioUnlock(mem, merged);
}
