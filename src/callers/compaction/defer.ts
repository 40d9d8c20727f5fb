/**
 * Deferral: a zone where compaction failed is left alone for a while, each time for longer.
 *
 * After a failure the next 2, 4, ... 64 attempts for the order, or a larger one, are put off. An
 * allocation that succeeds forgets it all. Linux: `defer_compaction()`, `compaction_deferred()`,
 * `compaction_defer_reset()`, `compaction_restarting()`, mm/compaction.c, 6.1.
 */
import type { Memory } from "../../memory/memory.ts";
import type { Zone } from "../../memory/zone.ts";
import { traceDefer } from "./trace.ts";

/** At most 64 attempts are put off. Linux: `COMPACT_MAX_DEFER_SHIFT`. */
const COMPACT_MAX_DEFER_SHIFT = 6;

/** Compaction for `order` has seen the zone through and failed. */
export function deferCompaction(mem: Memory, zone: Zone, order: number): void {
  zone.compactConsidered = 0;
  zone.compactDeferShift = Math.min(zone.compactDeferShift + 1, COMPACT_MAX_DEFER_SHIFT);
  zone.compactOrderFailed = Math.min(zone.compactOrderFailed, order);
  traceDefer(mem, "mm_compaction_defer_compaction", zone, order);
}

/** Whether this attempt is to be put off; counts it. */
export function compactionDeferred(mem: Memory, zone: Zone, order: number): boolean {
  if (order < zone.compactOrderFailed) return false;
  const limit = 1 << zone.compactDeferShift;
  zone.compactConsidered++;
  if (zone.compactConsidered >= limit) {
    zone.compactConsidered = limit;
    return false;
  }
  traceDefer(mem, "mm_compaction_deferred", zone, order);
  return true;
}

/** A free block of `order` came about; "allocated" if the one who wanted it has it. */
export function compactionDeferReset(
  mem: Memory,
  zone: Zone,
  order: number,
  outcome: "free" | "allocated",
): void {
  if (outcome === "allocated") {
    zone.compactConsidered = 0;
    zone.compactDeferShift = 0;
  }
  if (order >= zone.compactOrderFailed) zone.compactOrderFailed = order + 1;
  traceDefer(mem, "mm_compaction_defer_reset", zone, order);
}

/** Put off for as long as ever: the hints of the failed attempts are out of date. */
export function compactionRestarting(zone: Zone, order: number): boolean {
  return (
    order >= zone.compactOrderFailed &&
    zone.compactDeferShift === COMPACT_MAX_DEFER_SHIFT &&
    zone.compactConsidered >= 1 << zone.compactDeferShift
  );
}
