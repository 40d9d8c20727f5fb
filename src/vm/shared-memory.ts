/**
 * What this room needs of the owner of shared anonymous memory: declared here, supplied from above.
 *
 * Shared anonymous memory is a file without a name, whose pages have swap for storage. It goes when
 * nobody maps it any more. Linux: `shmem_zero_setup()`, `shmem_unuse()`, mm/shmem.c.
 */
import type { AddressSpace } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { SwapArea } from "./swap/swap-area.ts";

export interface SharedMemory {
  /** A new file of `sizeBytes`, all of it a hole. */
  readonly createFile: (name: string, sizeBytes: number) => AddressSpace;
  /** Brings back every page of files that is in the area. "ENOMEM": not all of them. */
  readonly unuse: (area: SwapArea) => Blocking<"done" | "ENOMEM">;
}
