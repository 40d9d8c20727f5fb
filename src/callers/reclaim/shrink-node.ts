/**
 * One node: its lists, then the caches beside them, as often as a large block needs it.
 *
 * What kswapd met decides what it may do next (write files' pages, wait for writes), and whether
 * direct reclaimers wait for storage. Linux: `shrink_node()`, mm/vmscan.c, 6.1.
 */
import type { Blocking } from "../../sched/blocking.ts";
import { shouldContinueReclaim } from "./compaction-room.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import { RoundCounts, type ScanControl } from "./scan-control.ts";
import { prepareScanCount } from "./scan-count.ts";
import { shrinkLruvec } from "./shrink-lruvec.ts";
import { shrinkSlab } from "./shrink-slab.ts";
import { reclaimThrottle } from "./throttle.ts";

export function* shrinkNode(sc: ScanControl, node: NodeReclaim): Blocking<void> {
  const { mem } = sc.reclaimer.vm;
  const atFirst = sc.reclaimed;
  let before: number;
  do {
    before = sc.reclaimed;
    sc.round = new RoundCounts();
    prepareScanCount(sc, node);
    yield* shrinkLruvec(sc, node);
    // Objects are no pages: what the caches free is not counted, but found free.
    yield* shrinkSlab(mem, node.node.id, sc.priority);
    if (sc.by === "kswapd") yield* learnFromRound(sc, node);
    yield* waitForStorage(sc, node);
  } while (shouldContinueReclaim(sc, node, sc.reclaimed - before));
  // Somebody can free pages here: kswapd may hope again.
  if (sc.reclaimed > atFirst) node.kswapdFailures = 0;
}

function* learnFromRound(sc: ScanControl, node: NodeReclaim): Blocking<void> {
  const { writeback, taken, unqueuedDirty, fileTaken, immediate } = sc.round;
  if (writeback > 0 && writeback === taken) node.meetsWriteback = true;
  if (unqueuedDirty === fileTaken) node.meetsDirty = true;
  if (immediate > 0) yield* reclaimThrottle(sc.reclaimer, node, "writeback");
}

function* waitForStorage(sc: ScanControl, node: NodeReclaim): Blocking<void> {
  const { dirty, congested } = sc.round;
  if (sc.by === "kswapd") {
    if (dirty > 0 && dirty === congested) node.isCongested = true;
  } else if (node.isCongested) {
    yield* reclaimThrottle(sc.reclaimer, node, "congested");
  }
}
