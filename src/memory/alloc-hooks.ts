/**
 * What the allocator asks of the rooms above it when the free lists do not serve a request.
 *
 * The allocator itself only looks at lists and watermarks. Making room (kswapd, compaction, direct
 * reclaim) belongs to callers, which supply these in machine/; each is null until then, and a
 * request that meets null gets what the lists alone can give. Callers of an allocation never call
 * a hook: they call `allocPagesGfp`.
 */
import type { Blocking } from "../sched/blocking.ts";
import type { ZoneType } from "./constants.ts";
import type { GfpRequest } from "./gfp.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Node } from "./node.ts";
import type { Zone } from "./zone.ts";

export interface AllocHooks {
  /**
   * Goes on where the lists ended; returns the first page as `allocPages` does, or -1.
   *
   * Sleeps only for a request with `GFP.directReclaim`. Linux: `__alloc_pages_slowpath()`.
   */
  slowPath: ((request: GfpRequest) => Blocking<Pfn>) | null;
  /**
   * Reclaims on behalf of a request that waits. Returns the number of base pages that it freed: 0
   * is no progress. Linux: `__perform_reclaim()`, `try_to_free_pages()`.
   */
  directReclaim: ((request: GfpRequest) => Blocking<number>) | null;
  /** Base pages of the zone that reclaim could free at best. Linux: `zone_reclaimable_pages()`. */
  reclaimablePages: ((zone: Zone) => number) | null;
  /** The last resort; true if somebody's memory was or will be freed. Linux: `out_of_memory()`. */
  outOfMemory: ((request: GfpRequest) => boolean) | null;
  /** Has the node's kswapd look after the zone; never sleeps. Linux: `wakeup_kswapd()`. */
  wakeKswapd: ((zone: Zone, order: number, highestZone: ZoneType, gfp: number) => void) | null;
  /** Whether the node's kswapd is at work just now. Linux: `kswapd_is_running()`. */
  kswapdIsRunning: ((node: Node) => boolean) | null;
  /**
   * Whether an allocation of this order is to fail although there is memory: for tests of what
   * callers make of it. Not asked for requests that must not fail. Linux: `fail_page_alloc`,
   * `should_fail_alloc_page()`.
   */
  shouldFail: ((order: number) => boolean) | null;
}

/**
 * Allocates a folio by the policy of a task: with an `offset` that of a page in shared memory,
 * which is interleaved by it, with null by the task's own count. Linux: `alloc_pages()`,
 * mm/mempolicy.c.
 */
export type TaskAlloc = (
  order: number,
  gfp: number,
  offset: number | null,
) => Blocking<Folio | null>;

/** No room above has supplied anything. */
export function noAllocHooks(): AllocHooks {
  return {
    slowPath: null,
    directReclaim: null,
    reclaimablePages: null,
    outOfMemory: null,
    wakeKswapd: null,
    kswapdIsRunning: null,
    shouldFail: null,
  };
}
