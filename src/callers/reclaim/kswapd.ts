/**
 * kswapd: one task a node that reclaims in the background, from when the low watermark is met until
 * the high one is.
 *
 * It sleeps on `kswapdWait`, a tenth of a second first and then until it is woken. When it goes to
 * sleep with the node balanced, compaction's hints are forgotten and kcompactd goes on for
 * the order that was wanted. A node where 16 rounds freed nothing is left to direct reclaim.
 * Linux: `kswapd()`, `kswapd_try_to_sleep()`, `wakeup_kswapd()`, mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { withMemalloc } from "../../memory/capture.ts";
import { ZONE_TYPES, type ZoneType } from "../../memory/constants.ts";
import { GFP } from "../../memory/gfp.ts";
import { gfpText } from "../../memory/gfp-text.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { waitTimeout } from "../../sched/timed-wait.ts";
import { resetNodeIsolation } from "../compaction/reset-isolation.ts";
import { balancePgdat, pgdatBalanced } from "./balance-pgdat.ts";
import { NO_ZONE, type NodeReclaim, type Reclaimer } from "./reclaimer.ts";

const SECOND = 1_000_000_000;

/** The body of a node's kswapd; ends after `stopKswapd`. */
export function* kswapd(reclaimer: Reclaimer, node: NodeReclaim): Blocking<void> {
  yield* withMemalloc(reclaimer.vm.mem, () => runKswapd(reclaimer, node));
}

function* runKswapd(reclaimer: Reclaimer, node: NodeReclaim): Blocking<void> {
  const { mem } = reclaimer.vm;
  const { id } = node.node;
  node.hasKswapd = true;
  let highest = lastZone(node);
  let allocOrder = 0;
  let reclaimOrder = 0;
  for (;;) {
    yield* tryToSleep(reclaimer, node, { allocOrder, reclaimOrder, highest });
    if (node.kswapdShouldStop) break;
    allocOrder = node.kswapdOrder;
    if (node.kswapdHighestZone !== NO_ZONE) highest = node.kswapdHighestZone;
    node.kswapdOrder = 0;
    node.kswapdHighestZone = NO_ZONE;
    mem.events.trace?.event("mm_vmscan_kswapd_wake", `nid=${id} order=${allocOrder}`);
    reclaimOrder = yield* balancePgdat(reclaimer, node, allocOrder, highest);
    // It gave up the large block: whether to sleep is judged by what it went on with.
    if (reclaimOrder >= allocOrder) {
      allocOrder = node.kswapdOrder;
      reclaimOrder = allocOrder;
      if (node.kswapdHighestZone !== NO_ZONE) highest = node.kswapdHighestZone;
    }
  }
  node.hasKswapd = false;
  node.pfmemallocWait.wakeAll();
}

/** Has a node's kswapd end as soon as it would sleep. Linux: `kswapd_stop()`. */
export function stopKswapd(node: NodeReclaim): void {
  node.kswapdShouldStop = true;
  node.kswapdWait.wakeAll();
}

/** An allocation found a zone short of pages. Linux: `wakeup_kswapd()`. */
export function wakeupKswapd(
  reclaimer: Reclaimer,
  zone: Zone,
  order: number,
  highestZone: ZoneType,
  gfp: number,
): void {
  const node = reclaimer.nodes[zone.node];
  const highest = ZONE_TYPES.indexOf(highestZone);
  node.kswapdHighestZone = Math.max(node.kswapdHighestZone, highest);
  node.kswapdOrder = Math.max(node.kswapdOrder, order);
  if (node.kswapdWait.empty) return;
  const { mem } = reclaimer.vm;
  const isBoosted = node.zonesUpTo(highest).some(({ watermarkBoost }) => watermarkBoost > 0);
  if (node.isHopeless || (pgdatBalanced(mem, node, order, highest) && !isBoosted)) {
    // What is free is in small pieces; who cannot compact itself has kcompactd do it.
    if ((gfp & GFP.directReclaim) === 0) reclaimer.wakeKcompactd?.(node.node, order, highest);
    return;
  }
  mem.events.trace?.event(
    "mm_vmscan_wakeup_kswapd",
    `nid=${zone.node} order=${order} gfp_flags=${gfpText(gfp)}`,
  );
  node.kswapdWait.wakeAll();
}

interface Sleep {
  /** What was asked for, and what kswapd ended with. */
  readonly allocOrder: number;
  readonly reclaimOrder: number;
  readonly highest: number;
}

function* tryToSleep(reclaimer: Reclaimer, node: NodeReclaim, sleep: Sleep): Blocking<void> {
  const { mem } = reclaimer.vm;
  if (node.kswapdShouldStop) return;
  let wasWoken = false;
  if (maySleep(reclaimer, node, sleep)) {
    resetNodeIsolation(mem, node.node);
    reclaimer.wakeKcompactd?.(node.node, sleep.allocOrder, sleep.highest);
    wasWoken = (yield* waitTimeout(node.kswapdWait, reclaimer.clock, SECOND / 10)) === "woken";
    if (wasWoken) {
      if (node.kswapdHighestZone === NO_ZONE) node.kswapdHighestZone = sleep.highest;
      node.kswapdOrder = Math.max(node.kswapdOrder, sleep.reclaimOrder);
    }
    if (node.kswapdShouldStop) return;
  }
  if (!wasWoken && maySleep(reclaimer, node, sleep)) {
    mem.events.trace?.event("mm_vmscan_kswapd_sleep", `nid=${node.node.id}`);
    yield node.kswapdWait;
  } else {
    const { kswapd_low_wmark_hit_quickly, kswapd_high_wmark_hit_quickly } = VM_EVENT;
    mem.events.count(wasWoken ? kswapd_low_wmark_hit_quickly : kswapd_high_wmark_hit_quickly, 1);
  }
}

/** Linux: `prepare_kswapd_sleep()`. */
function maySleep({ vm }: Reclaimer, node: NodeReclaim, { reclaimOrder, highest }: Sleep): boolean {
  node.pfmemallocWait.wakeAll();
  if (node.isHopeless) return true;
  if (!pgdatBalanced(vm.mem, node, reclaimOrder, highest)) return false;
  node.isCongested = false;
  node.meetsDirty = false;
  node.meetsWriteback = false;
  return true;
}

function lastZone({ node }: NodeReclaim): number {
  return Math.max(...node.zones.map(({ type }) => ZONE_TYPES.indexOf(type)));
}
