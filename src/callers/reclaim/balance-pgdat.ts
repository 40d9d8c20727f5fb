/**
 * kswapd's work: rounds of growing depth until one zone of the node has its high watermark free.
 *
 * A boosted watermark is worked off first, without writing or swapping, as it is there to have
 * pageblocks emptied and not to relieve pressure. A large order is given up after twice as much was
 * freed: the rest is compaction's. Linux: `balance_pgdat()`, `pgdat_balanced()`, mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { PAGEBLOCK_ORDER } from "../../memory/constants.ts";
import { GFP_KERNEL } from "../../memory/gfp.ts";
import type { Memory } from "../../memory/memory.ts";
import { LRU } from "../../memory/node.ts";
import { zoneWatermarkOk } from "../../memory/watermark.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { compactGap } from "../compaction/suitable.ts";
import { allowDirectReclaim } from "./direct-reclaim.ts";
import type { NodeReclaim, Reclaimer } from "./reclaimer.ts";
import { DEF_PRIORITY, ScanControl, SWAP_CLUSTER_MAX } from "./scan-control.ts";
import { inactiveIsLow, shrinkActiveList } from "./shrink-active.ts";
import { shrinkNode } from "./shrink-node.ts";

/** Returns the order that it ended with: that asked for, or 0 if it gave that up. */
export function* balancePgdat(
  reclaimer: Reclaimer,
  node: NodeReclaim,
  order: number,
  highestZone: number,
): Blocking<number> {
  reclaimer.vm.mem.events.count(VM_EVENT.pageoutrun, 1);
  const zones = node.zonesUpTo(highestZone);
  const boosts = zones.map((zone): [Zone, number] => [zone, zone.watermarkBoost]);
  const boost = boosts.reduce((sum, [, pages]) => sum + pages, 0);
  const sc = new ScanControl(reclaimer, {
    by: "kswapd",
    gfp: GFP_KERNEL,
    order,
    highestZone,
    pagesToReclaim: 0,
  });
  yield* balance(sc, node, boost);
  for (const [zone, pages] of boosts) {
    zone.watermarkBoost -= Math.min(zone.watermarkBoost, pages);
  }
  if (boost > 0) reclaimer.wakeKcompactd?.(node.node, PAGEBLOCK_ORDER, highestZone);
  [node.refaults[0], node.refaults[1]] = node.activations;
  return sc.order;
}

function* balance(sc: ScanControl, node: NodeReclaim, boosted: number): Blocking<void> {
  const { mem } = sc.reclaimer.vm;
  let boost = boosted;
  sc.priority = DEF_PRIORITY;
  do {
    const before = sc.reclaimed;
    const isBalanced = pgdatBalanced(mem, node, sc.order, sc.highestZone);
    if (!isBalanced && boost > 0) {
      // Real need comes first, and begins anew.
      boost = 0;
      sc.priority = DEF_PRIORITY;
      continue;
    }
    if (isBalanced && boost === 0) return;
    let raises = !(boost > 0 && sc.priority === DEF_PRIORITY - 2);
    sc.mayWritepage = boost === 0;
    sc.maySwap = boost === 0;
    if (sc.reclaimer.canAgeAnon && inactiveIsLow(node, 0)) {
      yield* shrinkActiveList(sc, node, LRU.activeAnon, SWAP_CLUSTER_MAX);
    }
    if (sc.priority < DEF_PRIORITY - 2) sc.mayWritepage = true;
    sc.scanned = 0;
    if (yield* shrinkForBalance(sc, node)) raises = false;
    if (!node.pfmemallocWait.empty && allowDirectReclaim(node)) node.pfmemallocWait.wakeAll();
    if (node.kswapdShouldStop) return;
    const reclaimed = sc.reclaimed - before;
    boost -= Math.min(boost, reclaimed);
    if (boost > 0 && reclaimed === 0) break;
    if (raises || reclaimed === 0) sc.priority--;
  } while (sc.priority >= 1);
  if (sc.reclaimed === 0) node.kswapdFailures++;
}

/** True if as much was looked at as would do if all of it went. Linux: `kswapd_shrink_node()`. */
function* shrinkForBalance(sc: ScanControl, node: NodeReclaim): Blocking<boolean> {
  sc.pagesToReclaim = 0;
  for (const { watermarkHigh, watermarkBoost } of node.zonesUpTo(sc.highestZone)) {
    sc.pagesToReclaim += Math.max(watermarkHigh + watermarkBoost, SWAP_CLUSTER_MAX);
  }
  yield* shrinkNode(sc, node);
  if (sc.order > 0 && sc.reclaimed >= compactGap(sc.order)) sc.order = 0;
  return sc.scanned >= sc.pagesToReclaim;
}

/** One zone that the request can use has its high watermark and a block of the order free. */
export function pgdatBalanced(
  mem: Memory,
  node: NodeReclaim,
  order: number,
  highestZone: number,
): boolean {
  const zones = node.zonesUpTo(highestZone);
  if (zones.length === 0) return true;
  return zones.some((zone) => {
    const mark = zone.watermarkHigh + zone.watermarkBoost;
    return zoneWatermarkOk(mem, zone, order, mark, highestZone, 0);
  });
}
