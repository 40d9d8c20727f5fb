/**
 * Reclaim by whoever needs the memory, as kswapd does not keep up.
 *
 * Rounds of growing depth over the nodes that the request may use, until 32 pages are freed, or
 * compaction has the room that it needs. If the active lists were spared and all was for nothing,
 * once more without sparing them. Before, a request waits for kswapd while too little is left for
 * kswapd itself to work with.
 *
 * Linux: `try_to_free_pages()`, `do_try_to_free_pages()`, `throttle_direct_reclaim()`, mm/vmscan.c,
 * 6.1. There are no signals.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { withMemalloc } from "../../memory/capture.ts";
import { ZONE_TYPES } from "../../memory/constants.ts";
import { GFP, type GfpRequest } from "../../memory/gfp.ts";
import { gfpText } from "../../memory/gfp-text.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { waitTimeout } from "../../sched/timed-wait.ts";
import { isLeftToCompaction } from "./compaction-room.ts";
import type { NodeReclaim, Reclaimer } from "./reclaimer.ts";
import { DEF_PRIORITY, ScanControl, SWAP_CLUSTER_MAX } from "./scan-control.ts";
import { shrinkNode } from "./shrink-node.ts";
import { considerThrottle } from "./throttle.ts";

const SECOND = 1_000_000_000;

const NORMAL = ZONE_TYPES.indexOf("Normal");

/** By index in ZONE_TYPES. */
const ALLOCSTALL = [
  VM_EVENT.allocstall_dma,
  VM_EVENT.allocstall_dma32,
  VM_EVENT.allocstall_normal,
  VM_EVENT.allocstall_movable,
  VM_EVENT.allocstall_device,
] as const;

/** Returns the pages freed; 1 also if compaction should be tried; 0 is no progress. */
export function* tryToFreePages(reclaimer: Reclaimer, request: GfpRequest): Blocking<number> {
  const highestZone = ZONE_TYPES.indexOf(request.highestZone);
  const nodes = nodesOf(reclaimer, request);
  const { gfp, order } = request;
  yield* throttleDirectReclaim(reclaimer, gfp, nodes);
  const sc = new ScanControl(reclaimer, {
    by: "direct",
    gfp,
    order,
    highestZone,
    pagesToReclaim: SWAP_CLUSTER_MAX,
  });
  const { mem } = reclaimer.vm;
  const { trace } = mem.events;
  trace?.event("mm_vmscan_direct_reclaim_begin", `order=${order} gfp_flags=${gfpText(gfp)}`);
  const freed = yield* withMemalloc(mem, () => doTryToFreePages(sc, nodes));
  trace?.event("mm_vmscan_direct_reclaim_end", `nr_reclaimed=${freed}`);
  return freed;
}

function* doTryToFreePages(sc: ScanControl, nodes: readonly NodeReclaim[]): Blocking<number> {
  const { mem } = sc.reclaimer.vm;
  for (;;) {
    mem.events.count(ALLOCSTALL[sc.highestZone], 1);
    for (sc.priority = DEF_PRIORITY; sc.priority >= 0; sc.priority--) {
      sc.scanned = 0;
      yield* shrinkZones(sc, nodes);
      if (sc.reclaimed >= sc.pagesToReclaim || sc.compactionReady) break;
    }
    for (const { refaults, activations } of nodes) [refaults[0], refaults[1]] = activations;
    if (sc.reclaimed > 0) return sc.reclaimed;
    if (sc.compactionReady) return 1;
    if (!sc.skippedDeactivate) return 0;
    sc.forceDeactivate = true;
    sc.skippedDeactivate = false;
  }
}

/** Each node once, unless all that it would be for has room enough. Linux: `shrink_zones()`. */
function* shrinkZones(sc: ScanControl, nodes: readonly NodeReclaim[]): Blocking<void> {
  for (const node of nodes) {
    const zones = node.zonesUpTo(sc.highestZone);
    const needy = zones.filter((zone) => !isLeftToCompaction(sc, zone));
    if (needy.length < zones.length) sc.compactionReady = true;
    if (needy.length > 0) yield* shrinkNode(sc, node);
  }
  if (nodes.length > 0) yield* considerThrottle(sc, nodes[0]);
}

/** The nodes whose memory will do, nearest first. */
function nodesOf({ nodes }: Reclaimer, request: GfpRequest): NodeReclaim[] {
  const { distances } = nodes[request.node].node;
  const allowed = request.onlyNode ? [request.node] : request.nodes;
  return nodes
    .filter(({ node }) => node.zones.length > 0 && (allowed?.includes(node.id) ?? true))
    .sort((a, b) => distances[a.node.id] - distances[b.node.id]);
}

/** Waits until kswapd has what it needs of the first node that it watches over. */
function* throttleDirectReclaim(
  reclaimer: Reclaimer,
  gfp: number,
  nodes: readonly NodeReclaim[],
): Blocking<void> {
  const node = nodes.find(({ node: { zones } }) => zones.some(isNormalOrBelow));
  if (node === undefined || allowDirectReclaim(node)) return;
  reclaimer.vm.mem.events.count(VM_EVENT.pgscan_direct_throttle, 1);
  // Who holds a filesystem's locks may be what kswapd waits for.
  if ((gfp & GFP.fs) === 0) {
    yield* waitTimeout(node.pfmemallocWait, reclaimer.clock, SECOND);
    return;
  }
  while (!allowDirectReclaim(node)) yield node.pfmemallocWait;
}

/**
 * Half of the minimum is free: enough for reclaim itself. kswapd is woken if not.
 *
 * Linux: `allow_direct_reclaim()`.
 */
export function allowDirectReclaim(node: NodeReclaim): boolean {
  // Nobody will come: each for itself.
  if (node.isHopeless || !node.hasKswapd) return true;
  let reserve = 0;
  let free = 0;
  for (const zone of node.node.zones) {
    if (!isNormalOrBelow(zone) || reclaimableOf(zone) === 0) continue;
    reserve += zone.watermarkMin + zone.watermarkBoost;
    free += zone.freePages;
  }
  if (reserve === 0 || free > Math.floor(reserve / 2)) return true;
  node.kswapdHighestZone = Math.min(node.kswapdHighestZone, NORMAL);
  node.kswapdWait.wakeAll();
  return false;
}

function isNormalOrBelow({ type, managed }: Zone): boolean {
  return managed > 0 && ZONE_TYPES.indexOf(type) <= NORMAL;
}

function reclaimableOf({ lruPages }: Zone): number {
  return lruPages[0] + lruPages[1] + lruPages[2] + lruPages[3];
}
