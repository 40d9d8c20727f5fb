/**
 * A hugetlbfs file: an address space of huge pages, its promises, and the way out of it.
 *
 * Offsets count base pages, as in every file here (in Linux from 6.7 on; huge pages before). The
 * cache holds one reference to a folio whatever its size, and none is counted as a cached page.
 * Where its mount is, and what reads and writes it, belongs to the filesystem.
 *
 * Locks: the fault mutex, then `iMmapLock`, then the folio. Linux: fs/hugetlbfs/inode.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { mappingWord } from "../../memory/mapping-word.ts";
import { clearFlag, type Folio, setFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace, AddressSpaceOperations } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { RwSemaphore } from "../../sched/rw-semaphore.ts";
import type { Vm } from "../vm.ts";
import { clearHugetlbBit, HPG } from "./folio-state.ts";
import { type Hstate, HUGETLB_PAGES } from "./hstate.ts";
import { zapHugetlbRange } from "./range.ts";
import { forgetFilePages } from "./reserve.ts";
import type { Subpool } from "./subpool.ts";

/** The last page of any file. */
const LAST_OFFSET = 0xffff_ffff;

export class HugetlbFile {
  readonly mapping: AddressSpace;
  /** Its mount's limit, if it has one. */
  readonly subpool: Subpool | null;
  /** Numbers of huge pages that are promised or in use. Linux: `inode_resv_map()`. */
  readonly resv: Set<number> = new Set();
  /** Keeps the file's mappings from being taken away. Linux: `i_mmap_rwsem`, held to write. */
  readonly iMmapLock: RwSemaphore = new RwSemaphore("i_mmap_rwsem");

  constructor(mapping: AddressSpace, subpool: Subpool | null) {
    this.mapping = mapping;
    this.subpool = subpool;
  }
}

/** A new empty file. Linux: `hugetlb_file_setup()`. */
export function createHugetlbFile(
  vm: Vm,
  hstate: Hstate,
  name: string,
  ops: AddressSpaceOperations,
  subpool: Subpool | null = null,
): HugetlbFile {
  const file = new HugetlbFile(vm.cache.createMapping(name, ops), subpool);
  hstate.files.set(file.mapping.id, file);
  return file;
}

/** Enters a new locked folio. Dirty from the start: there is nothing to read it from again. */
export function hugetlbAddToCache(
  mem: Memory,
  { mapping }: HugetlbFile,
  folio: Folio,
  offset: number,
): void {
  assert(mem.mapping[folio] === 0, "a hugetlb folio has an owner already:", folio);
  mapping.folios.insert(offset, folio, HUGETLB_PAGES);
  mem.refcount[folio]++;
  mem.mapping[folio] = mappingWord(mapping.id, 0);
  mem.index[folio] = offset;
  clearHugetlbBit(mem, folio, HPG.restoreReserve);
  setFlag(mem, folio, PG.dirty);
}

/** Takes a locked, unmapped folio out of its file. Linux: `hugetlb_delete_from_page_cache()`. */
function hugetlbDeleteFromCache(mem: Memory, { mapping }: HugetlbFile, folio: Folio): void {
  assert(mem.mapping[folio] === mappingWord(mapping.id, 0), "a folio of another file:", folio);
  clearFlag(mem, folio, PG.dirty);
  clearFlag(mem, folio, PG.uptodate);
  mapping.folios.remove(mem.index[folio], HUGETLB_PAGES);
  mem.mapping[folio] = 0;
  folioPut(mem, folio);
}

/**
 * Cuts a file off at `offset`: no process maps what lies behind it any more, nothing is promised.
 *
 * With the fault mutex held nobody maps a page again, and a move that is under way finds no entry
 * left to restore. Linux: `hugetlb_vmtruncate()`, `remove_inode_hugepages()`.
 */
export function* truncateHugetlbFile(
  vm: Vm,
  hstate: Hstate,
  file: HugetlbFile,
  offset: number,
): Blocking<void> {
  const { mem } = vm;
  const { folios, id } = file.mapping;
  let freed = 0;
  yield* hstate.faultMutex.lock();
  yield* file.iMmapLock.lock();
  yield "hugetlb-truncate-locked";
  for (const vma of vm.fileVmas[id] ?? []) {
    const start = Math.max(vma.startVpn, vma.startVpn + (offset - vma.pgoff));
    if (start < vma.endVpn) zapHugetlbRange(vm, vma, start, vma.endVpn);
  }
  file.iMmapLock.unlock();
  for (;;) {
    const folio = folios.find(offset, LAST_OFFSET);
    if (folio === null) break;
    // With a reference more than it should have it is not moved while the lock is waited for.
    folioGet(mem, folio);
    yield* folioLock(mem, folio);
    hugetlbDeleteFromCache(mem, file, folio);
    freed++;
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
  forgetFilePages(hstate, file, offset / HUGETLB_PAGES, freed);
  hstate.faultMutex.unlock();
}
