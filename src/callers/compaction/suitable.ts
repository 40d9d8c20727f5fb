/**
 * Whether to begin, whether to go on.
 *
 * Linux: `compaction_suitable()`, `fragmentation_index()`, `compact_finished()`, 6.1.
 */

import {
  MAX_ORDER,
  MIGRATE,
  PAGE_ALLOC_COSTLY_ORDER,
  PAGEBLOCK_NR_PAGES,
  ZONE_TYPES,
} from "../../memory/constants.ts";
import { canStealFallback, findSuitableFallback } from "../../memory/fallback.ts";
import { listEmpty } from "../../memory/page-list.ts";
import { ALLOC, zoneWatermarkOk } from "../../memory/watermark.ts";
import type { Zone } from "../../memory/zone.ts";
import type { CompactControl, CompactResult } from "./control.ts";
import { resetCachedPositions } from "./skip-hints.ts";
import { traceFinished } from "./trace.ts";

/** "continue" if compaction can help, "success" if it need not, "skipped" if it cannot. */
export function compactionSuitable(cc: CompactControl): CompactResult {
  const { zone, request } = cc;
  const result = suitability(cc);
  const { trace } = cc.vm.mem.events;
  if (trace !== null) {
    traceFinished(trace, "mm_compaction_suitable", zone, request.order, result);
  }
  return result === "not_suitable_zone" ? "skipped" : result;
}

function suitability(cc: CompactControl): CompactResult {
  const { zone, request, sysctl } = cc;
  const { mem } = cc.vm;
  const { order } = request;
  if (order === -1) return "continue";
  const highest = ZONE_TYPES.indexOf(zone.type);
  if (zoneWatermarkOk(mem, zone, order, zone.watermarkLow, highest, ALLOC.cma)) return "success";
  // Room to work in: compaction holds free pages while it moves others.
  const mark = order > PAGE_ALLOC_COSTLY_ORDER ? zone.watermarkLow : zone.watermarkMin;
  if (!zoneWatermarkOk(mem, zone, 0, mark + (2 << order), highest, ALLOC.cma)) return "skipped";
  if (order > PAGE_ALLOC_COSTLY_ORDER) {
    const index = fragmentationIndex(zone, order);
    if (index >= 0 && index <= sysctl["vm.extfrag_threshold"]) return "not_suitable_zone";
  }
  return "continue";
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
    resetCachedPositions(cc);
    if (request.direct) zone.compactBlockskipFlush = true;
    return cc.wholeZone ? "complete" : "partial_skipped";
  }
  if (request.order === -1) return "continue";
  // A block that is begun is finished, whatever it takes: half a block helps nobody.
  if (cc.migratePfn % PAGEBLOCK_NR_PAGES !== 0) return "continue";
  if (hasFreeBlock(cc)) return "success";
  return cc.contended ? "contended" : "no_suitable_page";
}

/** Linux: `compact_scanners_met()`. */
export function scannersMet(cc: CompactControl): boolean {
  return (
    Math.floor(cc.freePfn / PAGEBLOCK_NR_PAGES) <= Math.floor(cc.migratePfn / PAGEBLOCK_NR_PAGES)
  );
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
