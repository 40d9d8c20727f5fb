/**
 * Making a reclaimer wait for others: for the end of writes, for folios to be put back, for
 * somebody who makes progress.
 *
 * Each wait ends by a wake-up or after its time, whichever comes first, and the caller goes on in
 * both cases. Linux: `reclaim_throttle()`, mm/vmscan.c, 6.1, with 250 jiffies a second.
 */
import type { Blocking } from "../../sched/blocking.ts";
import { waitTimeout } from "../../sched/timed-wait.ts";
import type { NodeReclaim, Reclaimer, ThrottleReason } from "./reclaimer.ts";
import type { ScanControl } from "./scan-control.ts";

const SECOND = 1_000_000_000;

/** Nanoseconds at most. */
const TIMEOUTS: Readonly<Record<ThrottleReason, number>> = {
  writeback: SECOND / 10,
  isolated: SECOND / 50,
  noprogress: SECOND / 250,
  congested: SECOND / 250,
};

export function* reclaimThrottle(
  { clock }: Reclaimer,
  node: NodeReclaim,
  reason: ThrottleReason,
): Blocking<void> {
  const mayHelp = reason === "writeback" || reason === "isolated" || !skipsNoprogress(node);
  if (!mayHelp) return;
  const { writebackThrottle } = node.node;
  if (reason === "writeback") writebackThrottle.enter();
  yield* waitTimeout(node.throttled[reason], clock, TIMEOUTS[reason]);
  if (reason === "writeback") writebackThrottle.leave();
}

/** Waiting would be for nothing, or is done elsewhere. Linux: `skip_throttle_noprogress()`. */
function skipsNoprogress(node: NodeReclaim): boolean {
  if (node.isHopeless) return true;
  let reclaimable = 0;
  let writePending = 0;
  for (const { lruPages, writePendingPages } of node.node.zones) {
    reclaimable += lruPages[0] + lruPages[1] + lruPages[2] + lruPages[3];
    writePending += writePendingPages;
  }
  return 2 * writePending <= reclaimable;
}

/** After a direct reclaim of a node: wakes who waits for progress, or waits for it. */
export function* considerThrottle(sc: ScanControl, node: NodeReclaim): Blocking<void> {
  if (sc.reclaimed > sc.scanned >> 3) {
    node.throttled.noprogress.wakeAll();
    return;
  }
  if (sc.by === "kswapd") return;
  if (sc.priority === 1 && sc.reclaimed === 0) {
    yield* reclaimThrottle(sc.reclaimer, node, "noprogress");
  }
}
