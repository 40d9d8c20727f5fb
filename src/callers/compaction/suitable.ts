/**
 * Whether to begin, whether to go on. On a machine without compaction no zone is suitable.
 *
 * Linux: `compaction_suitable()`, `fragmentation_index()`, `compact_finished()`, 6.1.
 */

import {
  MAX_ORDER,
  MIGRATE,
  PAGE_ALLOC_COSTLY_ORDER,
  PAGEBLOCK_NR_PAGES,
  pageblockStart,
  ZONE_TYPES,
  type ZoneType,
} from "../../memory/constants.ts";
import { canStealFallback, findSuitableFallback } from "../../memory/fallback.ts";
import type { Memory } from "../../memory/memory.ts";
import { listEmpty } from "../../memory/page-list.ts";
import { ALLOC, zoneWatermarkOk } from "../../memory/watermark.ts";
import type { Zone } from "../../memory/zone.ts";
import type { CompactControl, CompactResult, CompactSysctl } from "./control.ts";
import { fragmentationMarks, fragmentationScoreZone } from "./score.ts";
import { resetCachedPositions } from "./skip-hints.ts";
import { traceFinished } from "./trace.ts";

/** For what a zone is to be judged: an order, and the highest zone that the request may use. */
export interface SuitableFor {
  readonly order: number;
  readonly highestZone: ZoneType;
  /** ALLOC bits. */
  readonly allocFlags: number;
}

/** "continue" if compaction can help, "success" if it need not, "skipped" if it cannot. */
export function compactionSuitable(
  mem: Memory,
  zone: Zone,
  wanted: SuitableFor,
  sysctl: CompactSysctl,
): CompactResult {
  if (!mem.compacts) return "skipped";
  let result: CompactResult = compactionPossible(mem, zone, wanted, zone.freePages);
  if (result === "continue" && wanted.order > PAGE_ALLOC_COSTLY_ORDER) {
    const index = fragmentationIndex(zone, wanted.order);
    if (index >= 0 && index <= sysctl["vm.extfrag_threshold"]) result = "not_suitable_zone";
  }
  const { trace } = mem.events;
  if (trace !== null) {
    traceFinished(trace, "mm_compaction_suitable", zone, wanted.order, result);
  }
  return result === "not_suitable_zone" ? "skipped" : result;
}

/** By watermarks alone, were `freePages` free. Linux: `__compaction_suitable()`. */
export function compactionPossible(
  mem: Memory,
  zone: Zone,
  { order, highestZone, allocFlags }: SuitableFor,
  freePages: number,
): "continue" | "success" | "skipped" {
  if (order === -1) return "continue";
  const highest = ZONE_TYPES.indexOf(highestZone);
  const min = zone.watermarkMin + zone.watermarkBoost;
  if (zoneWatermarkOk(mem, zone, order, min, highest, allocFlags)) return "success";
  // Room to work in: compaction holds free pages while it moves others.
  const mark = order > PAGE_ALLOC_COSTLY_ORDER ? zone.watermarkLow + zone.watermarkBoost : min;
  const pages = freePages - zone.freePages;
  const room = mark + compactGap(order) - pages;
  return zoneWatermarkOk(mem, zone, 0, room, highest, ALLOC.cma) ? "continue" : "skipped";
}

/**
 * Whether reclaim for `order` has done enough in the zone: the rest is for compaction.
 *
 * Linux: `compaction_ready()`, mm/vmscan.c.
 */
export function compactionReady(
  mem: Memory,
  zone: Zone,
  wanted: SuitableFor,
  sysctl: CompactSysctl,
): boolean {
  const suitable = compactionSuitable(mem, zone, { ...wanted, allocFlags: 0 }, sysctl);
  if (suitable !== "continue") return suitable === "success";
  const mark = zone.watermarkHigh + zone.watermarkBoost + compactGap(wanted.order);
  return zoneWatermarkOk(mem, zone, 0, mark, ZONE_TYPES.indexOf(wanted.highestZone), 0);
}

/** Free pages that compaction needs beyond a watermark. Linux: `compact_gap()`. */
export function compactGap(order: number): number {
  return 2 << order;
}

/** Why an allocation fails: towards 0 for lack of memory, towards 1000 for fragmentation. */
export function fragmentationIndex(zone: Zone, order: number): number {
  let blocks = 0;
  let suitable = 0;
  for (let size = 0; size < MAX_ORDER; size++) {
    blocks += zone.freeBlocks[size];
    if (size >= order) suitable += zone.freeBlocks[size];
  }
  if (blocks === 0) return 0;
  if (suitable > 0) return -1000;
  const perRequest = Math.floor((zone.freePages * 1000) / (1 << order));
  return 1000 - Math.floor((1000 + perRequest) / blocks);
}

/** "continue", or how the zone ends. */
export function compactFinished(cc: CompactControl): CompactResult {
  const { zone, request } = cc;
  const result = finished(cc);
  const { trace } = cc.vm.mem.events;
  if (trace !== null) {
    traceFinished(trace, "mm_compaction_finished", zone, request.order, result);
  }
  return result === "no_suitable_page" ? "continue" : result;
}

function finished(cc: CompactControl): CompactResult {
  const { zone, request } = cc;
  if (scannersMet(cc)) {
    resetCachedPositions(zone);
    if (request.direct) zone.compactBlockskipFlush = true;
    return cc.wholeZone ? "complete" : "partial_skipped";
  }
  if (request.proactive) return proactiveFinished(cc);
  if (request.order === -1) return "continue";
  // A block that is begun is finished, whatever it takes: half a block helps nobody.
  if (cc.migratePfn % PAGEBLOCK_NR_PAGES !== 0) return "continue";
  if (hasFreeBlock(cc)) return "success";
  return cc.contended ? "contended" : "no_suitable_page";
}

function proactiveFinished(cc: CompactControl): CompactResult {
  const { zone, vm, sysctl } = cc;
  if (vm.mem.allocHooks.kswapdIsRunning?.(zone.pgdat) === true) return "partial_skipped";
  const isDone = fragmentationScoreZone(zone) <= fragmentationMarks(sysctl).low;
  if (cc.contended) return "contended";
  return isDone ? "success" : "continue";
}

/** Linux: `compact_scanners_met()`. */
export function scannersMet(cc: CompactControl): boolean {
  return pageblockStart(cc.freePfn) <= pageblockStart(cc.migratePfn);
}

function hasFreeBlock(cc: CompactControl): boolean {
  const { mem } = cc.vm;
  const { zone, request } = cc;
  const { migratetype } = request;
  for (let order = request.order; order < MAX_ORDER; order++) {
    if (!listEmpty(mem, zone.freeList(order, migratetype))) return true;
    if (migratetype === MIGRATE.movable && !listEmpty(mem, zone.freeList(order, MIGRATE.cma))) {
      return true;
    }
    const donor = findSuitableFallback(mem, zone, order, migratetype);
    if (donor !== -1 && canStealFallback(order, migratetype)) return true;
  }
  return false;
}
