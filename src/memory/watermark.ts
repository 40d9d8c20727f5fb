/**
 * Watermarks: how much of a zone must stay free, and of what sizes.
 *
 * Linux: `__zone_watermark_ok()`, 6.1.
 */
import { MAX_ORDER, MIGRATE } from "./constants.ts";
import type { Memory } from "./memory.ts";
import { listEmpty } from "./page-list.ts";
import type { Zone } from "./zone.ts";

/** What a request may do beyond the usual. Linux: ALLOC_*. */
export const ALLOC = {
  /** CMA blocks count, for a movable request. */
  cma: 0x1,
  /** An urgent request: may use the highatomic reserve and half of the minimum. */
  highatomic: 0x2,
} as const;

/**
 * Whether a block of `order` can be had with `mark` pages left over.
 *
 * `highestZone` is the index in ZONE_TYPES of the highest zone that the request may use.
 */
export function zoneWatermarkOk(
  mem: Memory,
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
  allocFlags: number,
): boolean {
  const urgent = (allocFlags & ALLOC.highatomic) !== 0;
  const withCma = (allocFlags & ALLOC.cma) !== 0;
  let free = zone.freePages - ((1 << order) - 1);
  if (!urgent) free -= zone.reservedHighatomic;
  if (!withCma) free -= zone.freeCmaPages;
  const min = urgent ? mark - (mark >> 1) : mark;
  if (free <= min + (zone.lowmemReserve[highestZone] ?? 0)) return false;
  if (order === 0) return true;
  for (let size = order; size < MAX_ORDER; size++) {
    if (zone.freeBlocks[size] === 0) continue;
    for (let type = MIGRATE.unmovable; type <= MIGRATE.reclaimable; type++) {
      if (!listEmpty(mem, zone.freeList(size, type))) return true;
    }
    if (withCma && !listEmpty(mem, zone.freeList(size, MIGRATE.cma))) return true;
    if (urgent && !listEmpty(mem, zone.freeList(size, MIGRATE.highatomic))) return true;
  }
  return false;
}
