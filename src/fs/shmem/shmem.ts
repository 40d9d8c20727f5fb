/**
 * shmem: files whose storage is swap. tmpfs, memfd and shared anonymous memory are such.
 *
 * A page of such a file is a hole, in the cache, or in swap, where `AddressSpace.swapped` says so:
 *
 *     hole --fault, write--> in the cache, clean zeroes until somebody writes
 *     in the cache --writepage--> in swap: `swapped` has the slot, whose folio may stay in the swap
 *       cache for as long as its write lasts and beyond
 *     in swap --fault, read, write, swapoff--> in the cache, dirty, and its slot free
 *
 * For a moment in both directions the folio is in both caches; then its mapping is the swap cache.
 * It is not anonymous at any time. A large folio is split before it goes out. A page that was never
 * written to is dropped without a slot, as a hole says the same. Left out: quotas, huge pages by
 * mount option, `fallocate(2)` but for holes. Linux: mm/shmem.c, 6.1.
 */
import { migrateFolio } from "../../migrate/callbacks.ts";
import {
  type AddressSpace,
  type AddressSpaceOperations,
  AS,
} from "../../pagecache/address-space.ts";
import { noopDirtyFolio } from "../../pagecache/mark-dirty.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { allocSharedFolio } from "../../vm/policy/policy-node.ts";
import type { SharedMemory } from "../../vm/shared-memory.ts";
import type { SwapArea } from "../../vm/swap/swap-area.ts";
import type { Vm } from "../../vm/vm.ts";
import { shmemFault, shmemWriteBegin } from "./get-folio.ts";
import { shmemUnuse } from "./swap-in.ts";
import { shmemTruncateRange } from "./truncate.ts";
import { shmemWritepage } from "./writepage.ts";

export class Shmem implements SharedMemory {
  private readonly vm: Vm;
  /** Linux: `shmem_aops`, with what `shmem_vm_ops` and `shmem_setattr()` do. */
  private readonly ops: AddressSpaceOperations;

  constructor(vm: Vm) {
    this.vm = vm;
    this.ops = {
      migrateFolio,
      dirtyFolio: noopDirtyFolio,
      writepage: (_mem, mapping, folio) => shmemWritepage(vm, mapping, folio),
      fault: (_mem, mapping, offset) => shmemFault(vm, mapping, offset),
      allocFolio: (_mem, mapping, offset, order) => allocSharedFolio(vm, mapping, offset, order),
      writeBegin: (_mem, mapping, posBytes, lengthBytes) =>
        shmemWriteBegin(vm, mapping, posBytes, lengthBytes),
      truncateRange: (_mem, mapping, startBytes, endBytes) =>
        shmemTruncateRange(vm, mapping, startBytes, endBytes),
    };
  }

  /** Linux: `shmem_file_setup()`. */
  createFile(name: string, sizeBytes: number): AddressSpace {
    return this.vm.cache.createMapping(name, this.ops, {
      flags: AS.swapBacked | AS.largeFolioSupport,
      sizeBytes,
      // Reclaim writes its pages, and nobody counts how many are dirty.
      canWriteback: false,
      readaheadPages: 0,
    });
  }

  /** No other files have pages in swap. Linux: `shmem_unuse()`. */
  *unuse(area: SwapArea): Blocking<"done" | "ENOMEM"> {
    for (const mapping of this.vm.cache.mappings) {
      if (!(yield* shmemUnuse(this.vm, mapping, area))) return "ENOMEM";
    }
    return "done";
  }
}
