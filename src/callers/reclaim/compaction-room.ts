/**
 * When reclaim for a large block has done its part, and compaction can do the rest.
 *
 * Compaction needs about twice the block's pages free to work with, and the right zone; more than
 * that would be taken from users for nothing. Linux: `in_reclaim_compaction()`,
 * `should_continue_reclaim()`, `compaction_ready()`, mm/vmscan.c, 6.1.
 */
import { PAGE_ALLOC_COSTLY_ORDER } from "../../memory/constants.ts";
import { LRU } from "../../memory/node.ts";
import { ALLOC, zoneWatermarkOk } from "../../memory/watermark.ts";
import type { Zone } from "../../memory/zone.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import { DEF_PRIORITY, type ScanControl } from "./scan-control.ts";

/** A direct reclaim need not look at a zone that compaction can work on well. */
export function compactionReady(sc: ScanControl, zone: Zone): boolean {
  if (sc.order <= PAGE_ALLOC_COSTLY_ORDER) return false;
  const suitable = suitability(sc, zone);
  if (suitable === "success") return true;
  if (suitable === "skipped") return false;
  // Others use what is free too: so some more than compaction itself needs.
  const mark = zone.watermarkHigh + zone.watermarkBoost + compactGap(sc.order);
  return zoneWatermarkOk(sc.reclaimer.vm.mem, zone, 0, mark, sc.highestZone, 0);
}

/** Whether a round that freed `reclaimed` pages of the node should be followed by another. */
export function shouldContinueReclaim(
  sc: ScanControl,
  node: NodeReclaim,
  reclaimed: number,
): boolean {
  const isCostly = sc.order > PAGE_ALLOC_COSTLY_ORDER;
  if (sc.order === 0 || !(isCostly || sc.priority < DEF_PRIORITY - 2)) return false;
  if (reclaimed === 0) return false;
  for (const zone of node.zonesUpTo(sc.highestZone)) {
    if (suitability(sc, zone) !== "skipped") return false;
  }
  const { lruPages } = node.node;
  let inactive = lruPages[LRU.inactiveFile];
  if (sc.reclaimer.canReclaimAnon) inactive += lruPages[LRU.inactiveAnon];
  return inactive > compactGap(sc.order);
}

/** Free pages that compaction needs beyond a watermark. Linux: `compact_gap()`. */
export function compactGap(order: number): number {
  return 2 << order;
}

function suitability(sc: ScanControl, zone: Zone): "success" | "skipped" | "continue" {
  const { mem } = sc.reclaimer.vm;
  const { order, highestZone } = sc;
  const min = zone.watermarkMin + zone.watermarkBoost;
  if (zoneWatermarkOk(mem, zone, order, min, highestZone, 0)) return "success";
  const isCostly = order > PAGE_ALLOC_COSTLY_ORDER;
  const mark = isCostly ? zone.watermarkLow + zone.watermarkBoost : min;
  const room = mark + compactGap(order);
  return zoneWatermarkOk(mem, zone, 0, room, highestZone, ALLOC.cma) ? "continue" : "skipped";
}
