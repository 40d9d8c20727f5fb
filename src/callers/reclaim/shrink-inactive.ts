/**
 * One batch off the tail of an inactive list: isolated, freed as far as may be, put back.
 *
 * What is taken is counted as isolated from before anything else can run until it is back, in the
 * class that the list has: a folio may change its own meanwhile. Linux: `shrink_inactive_list()`,
 * `too_many_isolated()`, mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { GFP } from "../../memory/gfp.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { LRU, type LruList } from "../../memory/node.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { isolateLruFolios } from "./isolate-folios.ts";
import { moveFoliosToLru } from "./putback.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import type { ScanControl } from "./scan-control.ts";
import { type ReclaimStat, ShrinkPass, shrinkFolioList } from "./shrink-folio-list.ts";
import { reclaimThrottle } from "./throttle.ts";

/** Returns the pages that were freed. */
export function* shrinkInactiveList(
  sc: ScanControl,
  node: NodeReclaim,
  lru: LruList,
  pages: number,
): Blocking<number> {
  const { mem } = sc.reclaimer.vm;
  const kind = lru === LRU.inactiveFile ? 1 : 0;
  if (!(yield* waitForPutback(sc, node, kind))) return 0;
  lruAddDrain(mem);
  const list = mem.takeList();
  const { taken, scanned } = isolateLruFolios(sc, node, lru, pages, list);
  node.node.isolatedPages[kind] += taken;
  const byKswapd = sc.by === "kswapd";
  mem.events.count(byKswapd ? VM_EVENT.pgscan_kswapd : VM_EVENT.pgscan_direct, scanned);
  mem.events.count(kind === 1 ? VM_EVENT.pgscan_file : VM_EVENT.pgscan_anon, scanned);
  const pass = new ShrinkPass(sc, list, "checked");
  const reclaimed = taken === 0 ? 0 : yield* shrinkFolioList(pass);
  moveFoliosToLru(mem, list);
  mem.releaseList(list);
  node.node.isolatedPages[kind] -= taken;
  node.node.throttled.wakeAll();
  mem.events.count(byKswapd ? VM_EVENT.pgsteal_kswapd : VM_EVENT.pgsteal_direct, reclaimed);
  mem.events.count(kind === 1 ? VM_EVENT.pgsteal_file : VM_EVENT.pgsteal_anon, reclaimed);
  if (taken > 0) addToRound(sc, node, pass.stat, kind, taken);
  return reclaimed;
}

function addToRound(
  { round }: ScanControl,
  node: NodeReclaim,
  stat: ReclaimStat,
  kind: 0 | 1,
  taken: number,
): void {
  node.noteCost(kind, stat.pageout);
  round.dirty += stat.dirty;
  round.unqueuedDirty += stat.unqueuedDirty;
  round.congested += stat.congested;
  round.writeback += stat.writeback;
  round.immediate += stat.immediate;
  round.taken += taken;
  if (kind === 1) round.fileTaken += taken;
}

/** Waits once while others hold too much; false if they still do. */
function* waitForPutback(sc: ScanControl, node: NodeReclaim, kind: 0 | 1): Blocking<boolean> {
  if (!tooManyIsolated(sc, node, kind)) return true;
  yield* reclaimThrottle(sc.reclaimer, node, "isolated");
  return !tooManyIsolated(sc, node, kind);
}

/**
 * More in the hands of reclaimers than on the list, or than an eighth of it: who may not start
 * input and output is let through longer, as others may wait for what it holds.
 */
function tooManyIsolated(sc: ScanControl, { node }: NodeReclaim, kind: 0 | 1): boolean {
  if (sc.by === "kswapd") return false;
  const inactive = node.lruPages[kind === 1 ? LRU.inactiveFile : LRU.inactiveAnon];
  const both = GFP.io | GFP.fs;
  const most = (sc.gfp & both) === both ? inactive >> 3 : inactive;
  const tooMany = node.isolatedPages[kind] > most;
  if (!tooMany) node.throttled.wakeAll();
  return tooMany;
}
