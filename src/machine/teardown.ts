/**
 * The end of a machine, and the proof that nothing leaked.
 *
 * Every process exits, every file is dropped, every hold from outside is given back. Then each
 * frame that is not a hole, reserved or poisoned must be free, and every list, page table and
 * anon_vma that was taken must have come back.
 */

import { assert } from "../base/assert.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { lruAddDrainAll } from "../memory/lru.ts";
import { folioTestMovable } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { drainAllPages } from "../memory/pcp.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { BH } from "../pagecache/buffers/buffer-head.ts";
import {
  folioBuffers,
  folioDetachPrivate,
  tryToFreeOrphanBuffers,
} from "../pagecache/buffers/folio-buffers.ts";
import { folioCancelDirty } from "../pagecache/dirty-account.ts";
import { filemapRemoveFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { shrinkHugeZeroPage } from "../vm/huge/zero-page.ts";
import { disableHugetlb, hstateOf } from "../vm/hugetlb/enable.ts";
import { truncateHugetlbFile } from "../vm/hugetlb/file.ts";
import { forgetLeaving, getKsmFolio } from "../vm/ksm/stable-tree.ts";
import type { Swap } from "../vm/swap/swap.ts";
import { folioFreeSwap, freeSwapAndCache } from "../vm/swap/swap-cache.ts";
import type { SwapEntry } from "../vm/swap/swap-entry.ts";
import { exitMm } from "../vm/zap.ts";
import type { Machine } from "./machine.ts";

/** Takes the machine down. Throws where something was lost or leaked. */
export function teardown(machine: Machine): void {
  const { mem, vm } = machine;
  lruAddDrainAll(mem);
  for (const mm of vm.mms) if (mm !== undefined) runToEnd(exitMm(vm, mm));
  forgetLeaving(vm);
  for (const file of vm.hstate?.files.values() ?? []) {
    runToEnd(truncateHugetlbFile(vm, hstateOf(vm), file, 0));
  }
  for (const mapping of vm.cache.mappings) dropFile(machine, mapping);
  if (vm.swap !== null) dropSwapCache(vm.swap);
  dropOrphans(machine);
  lruAddDrainAll(mem);
  machine.dropHolds();
  shrinkHugeZeroPage(vm);
  dropStableNodes(machine);
  disableHugetlb(vm);
  drainAllPages(mem);
  assertAllFree(machine);
}

/** Nodes whose pages are gone, as the next scan would; no other may be left. */
function dropStableNodes({ vm }: Machine): void {
  for (const node of vm.ksm.nodes) {
    if (node === undefined) continue;
    assert(runToEnd(getKsmFolio(vm, node)) === null, "a merged page leaked, of node", node.id);
  }
  assert(vm.ksm.stable.size === 0, "nodes of merged pages leaked:", vm.ksm.stable.size);
}

/** Removes every folio of a file. Linux: `truncate_inode_pages()`. */
function dropFile(machine: Machine, mapping: AddressSpace): void {
  const { mem } = machine;
  mapping.folios.forEach((offset, folio) => {
    if (mem.index[folio] !== offset) return;
    folioGet(mem, folio);
    assert(folioTrylock(mem, folio), "a folio is still locked at teardown:", folio);
    mem.flags[folio] &= ~PG.writeback;
    folioCancelDirty(mem, mapping, folio);
    if ((mem.flags[folio] & PG.private) !== 0) dropPrivate(machine, mapping, folio);
    filemapRemoveFolio(mem, mapping, folio);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  });
  for (const slot of mapping.swapped?.values() ?? []) {
    assert(machine.vm.swap !== null, "a page in swap on a machine without:", mapping.name);
    freeSwapAndCache(machine.vm.swap, slot as SwapEntry);
  }
  mapping.swapped?.clear();
  assert(mapping.folios.pageCount === 0, "pages left in a file at teardown:", mapping.name);
}

/** Buffers that outlived their folio's place in its file, and are no longer in use. */
function dropOrphans({ mem, vm }: Machine): void {
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    const folio = pfn as Folio;
    const isOrphan = (mem.flags[folio] & PG.private) !== 0 && mem.mapping[folio] === 0;
    if (!isOrphan || mem.refcount[folio] === 0) continue;
    folioGet(mem, folio);
    assert(folioTrylock(mem, folio), "an orphan is still locked at teardown:", folio);
    const isFree = tryToFreeOrphanBuffers(mem, vm.cache.buffers, folio);
    assert(isFree, "a buffer of an orphan is in use at teardown:", folio);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}

/** Folios that no process maps and whose slots no entry names: what reclaim would find later. */
function dropSwapCache(swap: Swap): void {
  const { mem } = swap;
  swap.mapping.folios.forEach((_entry, folio) => {
    folioGet(mem, folio);
    assert(folioTrylock(mem, folio), "a folio is still locked at teardown:", folio);
    assert(folioFreeSwap(swap, folio), "a slot of a cached folio is in use at teardown:", folio);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  });
}

/** What is dirty need not be kept: there is no machine to read it. */
function dropPrivate({ mem }: Machine, { buffers }: AddressSpace, folio: Folio): void {
  const ring = folioBuffers(mem, buffers, folio)?.ring() ?? [];
  for (const { count, state, block } of ring) {
    assert(count === 0 && (state & BH.locked) === 0, "a buffer is in use at teardown:", block);
  }
  const word = folioDetachPrivate(mem, folio);
  if (ring.length > 0) buffers.remove(word);
}

function assertAllFree({ mem, vm, listsAtRest }: Machine): void {
  const { tables } = vm;
  assert(mem.listsInUse === listsAtRest, "page lists leaked:", mem.listsInUse - listsAtRest);
  assert(tables.leavesInUse === 0, "page tables leaked:", tables.leavesInUse);
  assert(tables.hugeInUse === 0, "huge entries leaked:", tables.hugeInUse);
  assert(vm.cache.buffers.ringCount === 0, "rings of buffers leaked:", vm.cache.buffers.ringCount);
  const anonVmas = vm.anonVmas.filter((anonVma) => anonVma !== undefined).length;
  assert(anonVmas === 0, "anon_vmas leaked:", anonVmas);
  assert(mem.waiters.size === 0, "tasks left waiting for folios:", mem.waiters.size);
  for (const node of mem.nodes) {
    const [anon, file] = node.isolatedPages;
    assert(anon === 0 && file === 0, "pages left isolated on node", node.id, anon, file);
    for (const pages of node.lruPages) assert(pages === 0, "pages left on the LRU:", pages);
    const { deferredSplitCount } = node;
    assert(deferredSplitCount === 0, "folios left queued to be split:", deferredSplitCount);
    assert(node.filePages === 0, "pages left in the page cache:", node.filePages);
    assert(node.swapcachePages === 0, "pages left in the swap cache:", node.swapcachePages);
    assert(node.dirtyPages === 0, "pages left counted as dirty:", node.dirtyPages);
    assert(node.writebackPages === 0, "pages left under writeback:", node.writebackPages);
    assert(node.shmemPages === 0, "pages left counted as shmem:", node.shmemPages);
    assert(node.mlockedPages === 0, "pages left counted as mlocked:", node.mlockedPages);
  }
  for (const area of vm.swap?.areas ?? []) {
    const leaked = area?.slotsInUse ?? 0;
    assert(leaked === 0, "slots of a swap area leaked:", leaked);
  }
  let free = 0;
  for (const zone of mem.zones) {
    free += zone.freePages;
    for (const pages of zone.lruPages) assert(pages === 0, "pages left on a zone's LRU:", pages);
  }
  let usable = 0;
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    const flags = mem.flags[pfn as Folio];
    assert(!folioTestMovable(mem, pfn as Folio), "a driver still has a page at teardown:", pfn);
    if ((flags & (PG.hole | PG.reserved | PG.hwpoison)) === 0) usable++;
  }
  assert(free === usable, "frames leaked: free and usable are", free, usable);
}
