/**
 * Direct compaction: a task that wants a block of 2^order pages compacts for it, zone by zone.
 *
 * | priority   | mode       | from                | skip bits | targets        |
 * |------------|------------|---------------------|-----------|----------------|
 * | async      | async      | where it left off   | kept      | movable blocks |
 * | sync-light | sync-light | where it left off   | kept      | movable blocks |
 * | sync-full  | sync-light | the zone's ends     | ignored   | any block      |
 *
 * The best result over the zones counts, and the first success ends the search. The block that
 * comes free is captured on the way to the lists where that is possible (`memory/capture.ts`).
 * A zone where synchronous compaction failed is put off for a while (`defer.ts`); only sync-full
 * takes no notice. On a machine without compaction all is "skipped".
 * Linux: `try_to_compact_pages()`, `compact_zone_order()`, 6.1.
 */
import { Capture, withCapture } from "../../memory/capture.ts";
import { GFP, type GfpRequest } from "../../memory/gfp.ts";
import { gfpText } from "../../memory/gfp-text.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { zonesFor } from "../../memory/page-alloc.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Vm } from "../../vm/vm.ts";
import { compactZone } from "./compact-zone.ts";
import type { CompactRequest, CompactResult, CompactSysctl } from "./control.ts";
import { compactionDeferReset, compactionDeferred, deferCompaction } from "./defer.ts";

/** How hard to try. Linux: `enum compact_priority`. */
export type CompactPriority = "sync-full" | "sync-light" | "async";

/** As traces number them. */
export const COMPACT_PRIORITY_NUMBERS: Readonly<Record<CompactPriority, number>> = {
  "sync-full": 0,
  "sync-light": 1,
  async: 2,
};

/** From worst to best, as results of several zones are compared. Linux: `enum compact_result`. */
const RANKS: readonly CompactResult[] = [
  "not_suitable_zone",
  "skipped",
  "deferred",
  "no_suitable_page",
  "continue",
  "complete",
  "partial_skipped",
  "contended",
  "success",
];

export interface DirectCompaction {
  readonly result: CompactResult;
  /** The block, taken before it reached a list: no reference yet. -1 if none was. */
  readonly captured: Pfn;
}

/** Compacts for `request`, whose allocation has `allocFlags`. */
export function* tryToCompactPages(
  vm: Vm,
  request: GfpRequest,
  allocFlags: number,
  priority: CompactPriority,
  sysctl: CompactSysctl,
): Blocking<DirectCompaction> {
  const { mem } = vm;
  const { order, gfp } = request;
  let result: CompactResult = "skipped";
  // Moving may take input and output, which may take memory.
  if (!mem.compacts || (gfp & GFP.io) === 0) return { result, captured: -1 as Pfn };
  mem.events.trace?.event(
    "mm_compaction_try_to_compact_pages",
    `order=${order} gfp_mask=${gfpText(gfp)} priority=${COMPACT_PRIORITY_NUMBERS[priority]}`,
  );
  for (const zone of zonesFor(mem, request)) {
    if (priority !== "sync-full" && compactionDeferred(mem, zone, order)) {
      result = better(result, "deferred");
      continue;
    }
    const wanted = directRequest(request, allocFlags, priority);
    const done = yield* compactZoneOrder(vm, zone, wanted, sysctl);
    result = better(result, done.result);
    if (done.result === "success") {
      compactionDeferReset(mem, zone, order, "free");
      return { result, captured: done.captured };
    }
    const isThrough = done.result === "complete" || done.result === "partial_skipped";
    if (priority !== "async" && isThrough) deferCompaction(mem, zone, order);
  }
  return { result, captured: -1 as Pfn };
}

/** Compacts one zone, with capture. Linux: `compact_zone_order()`. */
function* compactZoneOrder(
  vm: Vm,
  zone: Zone,
  wanted: CompactRequest,
  sysctl: CompactSysctl,
): Blocking<DirectCompaction> {
  const capture = new Capture(zone, wanted.order);
  const { result } = yield* withCapture(vm.mem, capture, () =>
    compactZone(vm, zone, wanted, sysctl),
  );
  // Whatever the scanners made of the zone, a block is there.
  return { result: capture.page === -1 ? result : "success", captured: capture.page };
}

/** What one attempt for an allocation asks of each zone. */
export function directRequest(
  { order, gfp, migratetype, highestZone }: GfpRequest,
  allocFlags: number,
  priority: CompactPriority,
): CompactRequest {
  const isFull = priority === "sync-full";
  return {
    order,
    mode: priority === "async" ? "async" : "sync-light",
    migratetype,
    wholeZone: isFull,
    ignoreSkipHint: isFull,
    ignoreBlockSuitable: isFull,
    direct: true,
    proactive: false,
    gfp,
    allocFlags,
    highestZone,
  };
}

function better(one: CompactResult, other: CompactResult): CompactResult {
  return RANKS.indexOf(other) > RANKS.indexOf(one) ? other : one;
}
