/**
 * Why an allocation got nothing, where the kernel only says that it failed.
 *
 * Counted by name, once for each allocation that gave up.
 */

/** Each has one sentence. */
export const ALLOC_REFUSAL_TEXT = {
  may_not_wait: "the caller may not sleep, and the free lists had nothing above the reserves",
  makes_room: "the caller is itself making room for an allocation",
  put_off: "compaction has failed too often of late, or had too little free memory to begin",
  no_retry: "one light attempt was made and the caller asked for no more",
  costly: "the block is large and the caller did not ask to try again",
  no_progress: "neither reclaim nor compaction got any further",
  out_of_memory: "nothing can be reclaimed and nobody was found to kill",
} as const;

export type AllocRefusalName = keyof typeof ALLOC_REFUSAL_TEXT;

/** By name: allocations that gave up so. */
export type AllocRefusals = Record<AllocRefusalName, number>;

export function noAllocRefusals(): AllocRefusals {
  const names = Object.keys(ALLOC_REFUSAL_TEXT) as AllocRefusalName[];
  return Object.fromEntries(names.map((name) => [name, 0])) as AllocRefusals;
}
