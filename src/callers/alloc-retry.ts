/**
 * Whether another round of reclaim and compaction can help an allocation that waits.
 *
 * Reclaim is worth a round while the zone would be above its minimum were all that can be
 * reclaimed free, 16 rounds without progress at most. Compaction is worth one while it gets
 * somewhere, and then at each stronger priority once. On a machine without compaction a small block
 * is worth a round while single pages are free, a costly one never; no record shows that.
 * Linux: `should_reclaim_retry()`, `should_compact_retry()`, mm/page_alloc.c, 6.1.
 */
import { PAGE_ALLOC_COSTLY_ORDER, ZONE_TYPES } from "../memory/constants.ts";
import type { GfpRequest } from "../memory/gfp.ts";
import { zonesFor } from "../memory/page-alloc.ts";
import { zoneWatermarkOk } from "../memory/watermark.ts";
import type { Zone } from "../memory/zone.ts";
import type { Vm } from "../vm/vm.ts";
import type { CompactResult, CompactSysctl } from "./compaction/control.ts";
import { COMPACT_PRIORITY_NUMBERS, type CompactPriority } from "./compaction/direct.ts";
import { compactionPossible } from "./compaction/suitable.ts";

/** Linux: `MAX_RECLAIM_RETRIES`. */
const MAX_RECLAIM_RETRIES = 16;
/** Linux: `MAX_COMPACT_RETRIES`. */
const MAX_COMPACT_RETRIES = 16;

/** One allocation on the slow path: what it has tried so far. */
export class AllocAttempt {
  readonly vm: Vm;
  readonly request: GfpRequest;
  /** ALLOC bits. */
  readonly flags: number;
  readonly sysctl: CompactSysctl;
  readonly isCostly: boolean;
  /** Of the last compaction. */
  result: CompactResult = "skipped";
  priority: CompactPriority = "sync-light";
  compactRetries = 0;
  /** Of the last reclaim: base pages. */
  reclaimed = 0;
  noProgressLoops = 0;

  constructor(vm: Vm, request: GfpRequest, flags: number, sysctl: CompactSysctl) {
    this.vm = vm;
    this.request = request;
    this.flags = flags;
    this.sysctl = sysctl;
    this.isCostly = request.order > PAGE_ALLOC_COSTLY_ORDER;
  }

  /** Whether the request has this GFP bit. */
  has(bit: number): boolean {
    return (this.request.gfp & bit) !== 0;
  }
}

export function shouldReclaimRetry(attempt: AllocAttempt): boolean {
  const { vm, request, flags } = attempt;
  const { mem } = vm;
  if (attempt.reclaimed > 0 && !attempt.isCostly) attempt.noProgressLoops = 0;
  else attempt.noProgressLoops++;
  if (attempt.noProgressLoops > MAX_RECLAIM_RETRIES) return false;
  const highest = ZONE_TYPES.indexOf(request.highestZone);
  return zonesFor(mem, request).some((zone) => {
    const mark = zone.watermarkMin + zone.watermarkBoost - reclaimablePages(attempt, zone);
    return zoneWatermarkOk(mem, zone, request.order, mark, highest, flags);
  });
}

export function shouldCompactRetry(attempt: AllocAttempt): boolean {
  const { request, result, vm } = attempt;
  if (request.order === 0) return false;
  if (!vm.mem.compacts) return freePagesRetry(attempt);
  if (result === "success") attempt.compactRetries++;
  const should = compactRetry(attempt);
  attempt.vm.mem.events.trace?.event("compact_retry", retryText(attempt, should));
  return should;
}

/** Without compaction free pages may still merge. Linux: the same function, !CONFIG_COMPACTION. */
function freePagesRetry({ vm, request, flags, isCostly }: AllocAttempt): boolean {
  if (isCostly) return false;
  const highest = ZONE_TYPES.indexOf(request.highestZone);
  return zonesFor(vm.mem, request).some((zone) => {
    const mark = zone.watermarkMin + zone.watermarkBoost;
    return zoneWatermarkOk(vm.mem, zone, 0, mark, highest, flags);
  });
}

function compactRetry(attempt: AllocAttempt): boolean {
  const { result } = attempt;
  // Too little was free to begin: could reclaim change that?
  if (result === "skipped") return compactionZonelistSuitable(attempt);
  if (feedback(result) === "progress" && attempt.compactRetries <= maxRetries(attempt)) return true;
  const floor = attempt.isCostly ? "sync-light" : "sync-full";
  if (COMPACT_PRIORITY_NUMBERS[attempt.priority] <= COMPACT_PRIORITY_NUMBERS[floor]) return false;
  attempt.priority = attempt.priority === "async" ? "sync-light" : "sync-full";
  attempt.compactRetries = 0;
  return true;
}

/** Linux: `compaction_zonelist_suitable()`. */
function compactionZonelistSuitable(attempt: AllocAttempt): boolean {
  const { vm, request, flags } = attempt;
  const { order, highestZone } = request;
  const wanted = { order, highestZone, allocFlags: flags };
  return zonesFor(vm.mem, request).some((zone) => {
    // A share only: memory is not to be thrashed for one block that may never come about.
    const share = Math.floor(reclaimablePages(attempt, zone) / order);
    return compactionPossible(vm.mem, zone, wanted, zone.freePages + share) === "continue";
  });
}

function reclaimablePages({ vm }: AllocAttempt, zone: Zone): number {
  return vm.mem.allocHooks.reclaimablePages?.(zone) ?? 0;
}

function maxRetries({ isCostly }: AllocAttempt): number {
  return isCostly ? MAX_COMPACT_RETRIES / 4 : MAX_COMPACT_RETRIES;
}

/** Linux: `compact_result_to_feedback()`. */
function feedback(result: CompactResult): "failed" | "withdrawn" | "progress" {
  if (result === "complete") return "failed";
  const isWithdrawn =
    result === "deferred" || result === "contended" || result === "partial_skipped";
  return isWithdrawn ? "withdrawn" : "progress";
}

const PRIORITY_NAMES: Readonly<Record<CompactPriority, string>> = {
  "sync-full": "COMPACT_PRIO_SYNC_FULL",
  "sync-light": "COMPACT_PRIO_SYNC_LIGHT",
  async: "COMPACT_PRIO_ASYNC",
};

function retryText(attempt: AllocAttempt, should: boolean): string {
  return (
    `order=${attempt.request.order} priority=${PRIORITY_NAMES[attempt.priority]} ` +
    `compaction_result=${feedback(attempt.result)} retries=${attempt.compactRetries} ` +
    `max_retries=${maxRetries(attempt)} should_retry=${should ? 1 : 0}`
  );
}
