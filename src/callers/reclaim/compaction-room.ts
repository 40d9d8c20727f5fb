/**
 * When reclaim for a large block has done its part, and compaction can do the rest.
 *
 * Compaction needs about twice the block's pages free to work with, and the right zone; more than
 * that would be taken from users for nothing. On a machine without compaction nothing is
 * left to it. Linux: `in_reclaim_compaction()`, `should_continue_reclaim()`, `compaction_ready()`,
 * mm/vmscan.c, 6.1.
 */
import { PAGE_ALLOC_COSTLY_ORDER, ZONE_TYPES } from "../../memory/constants.ts";
import { LRU } from "../../memory/node.ts";
import type { Zone } from "../../memory/zone.ts";
import {
  compactGap,
  compactionReady,
  compactionSuitable,
  type SuitableFor,
} from "../compaction/suitable.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import { DEF_PRIORITY, type ScanControl } from "./scan-control.ts";

/** A direct reclaim need not look at a zone that compaction can work on well. */
export function isLeftToCompaction(sc: ScanControl, zone: Zone): boolean {
  if (sc.order <= PAGE_ALLOC_COSTLY_ORDER) return false;
  const { vm, sysctl } = sc.reclaimer;
  return compactionReady(vm.mem, zone, wantedBy(sc), sysctl);
}

/** Whether a round that freed `reclaimed` pages of the node should be followed by another. */
export function shouldContinueReclaim(
  sc: ScanControl,
  node: NodeReclaim,
  reclaimed: number,
): boolean {
  if (!sc.reclaimer.vm.mem.compacts) return false;
  const isCostly = sc.order > PAGE_ALLOC_COSTLY_ORDER;
  if (sc.order === 0 || !(isCostly || sc.priority < DEF_PRIORITY - 2)) return false;
  if (reclaimed === 0) return false;
  const { vm, sysctl } = sc.reclaimer;
  for (const zone of node.zonesUpTo(sc.highestZone)) {
    if (compactionSuitable(vm.mem, zone, wantedBy(sc), sysctl) !== "skipped") return false;
  }
  const { lruPages } = node.node;
  let inactive = lruPages[LRU.inactiveFile];
  if (sc.reclaimer.canReclaimAnon) inactive += lruPages[LRU.inactiveAnon];
  return inactive > compactGap(sc.order);
}

function wantedBy({ order, highestZone }: ScanControl): SuitableFor {
  return { order, highestZone: ZONE_TYPES[highestZone], allocFlags: 0 };
}
