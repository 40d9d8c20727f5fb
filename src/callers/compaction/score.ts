/**
 * How fragmented a node is, as proactive compaction sees it: 0 to 100.
 *
 * The score is the share of free memory that no huge page could use, each zone weighed by its size.
 * Compaction begins above the high mark and ends at the low one, ten below; both follow from
 * `vm.compaction_proactiveness`.
 * Linux: `fragmentation_score_node()`, `fragmentation_score_wmark()`, `extfrag_for_order()`, 6.1.
 */
import { MAX_ORDER, PAGEBLOCK_ORDER } from "../../memory/constants.ts";
import type { Node } from "../../memory/node.ts";
import type { Zone } from "../../memory/zone.ts";
import type { CompactSysctl } from "./control.ts";

/** Per cent of the zone's free pages that lie in blocks below `order`; 0 if none is free. */
function extfragForOrder(zone: Zone, order: number): number {
  let free = 0;
  let suitable = 0;
  for (let size = 0; size < MAX_ORDER; size++) {
    const pages = zone.freeBlocks[size] << size;
    free += pages;
    if (size >= order) suitable += pages;
  }
  return free === 0 ? 0 : Math.floor(((free - suitable) * 100) / free);
}

/** Linux: `fragmentation_score_zone()`. */
export function fragmentationScoreZone(zone: Zone): number {
  return extfragForOrder(zone, PAGEBLOCK_ORDER);
}

export function fragmentationScoreNode({ zones }: Node): number {
  const present = zones.reduce((sum, zone) => sum + zone.present, 0);
  return zones.reduce(
    (sum, zone) => sum + Math.floor((zone.present * fragmentationScoreZone(zone)) / (present + 1)),
    0,
  );
}

/** The scores at which compaction ends and above which it begins. */
export function fragmentationMarks(sysctl: CompactSysctl): {
  readonly low: number;
  readonly high: number;
} {
  const low = Math.max(100 - sysctl["vm.compaction_proactiveness"], 5);
  return { low, high: Math.min(low + 10, 100) };
}
