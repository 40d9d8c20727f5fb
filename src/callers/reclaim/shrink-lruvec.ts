/**
 * One round over a node's lists, 32 pages of each in turn, until enough was freed or looked at.
 *
 * Once enough is freed the kind with less left to look at is done, and the other goes on in
 * proportion to what it was to lose at first. The first round of a direct reclaim does all of it.
 * Linux: `shrink_lruvec()`, mm/vmscan.c, 6.1.
 */
import { LRU, type LruList } from "../../memory/node.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import { DEACTIVATE, DEF_PRIORITY, type ScanControl, SWAP_CLUSTER_MAX } from "./scan-control.ts";
import { EVICTABLE_LISTS, getScanCount } from "./scan-count.ts";
import { inactiveIsLow, shrinkActiveList } from "./shrink-active.ts";
import { shrinkInactiveList } from "./shrink-inactive.ts";

export function* shrinkLruvec(sc: ScanControl, node: NodeReclaim): Blocking<void> {
  const left = getScanCount(sc, node);
  const targets = [...left];
  const isFirstDirect = sc.by === "direct" && sc.priority === DEF_PRIORITY;
  let reclaimed = 0;
  while (left[LRU.inactiveAnon] + left[LRU.activeFile] + left[LRU.inactiveFile] > 0) {
    for (const lru of EVICTABLE_LISTS) {
      const pages = Math.min(left[lru], SWAP_CLUSTER_MAX);
      left[lru] -= pages;
      if (pages > 0) reclaimed += yield* shrinkList(sc, node, lru, pages);
    }
    if (reclaimed < sc.pagesToReclaim || isFirstDirect) continue;
    if (!nudge(left, targets)) break;
  }
  sc.reclaimed += reclaimed;
  if (sc.reclaimer.canAgeAnon && inactiveIsLow(node, 0)) {
    yield* shrinkActiveList(sc, node, LRU.activeAnon, SWAP_CLUSTER_MAX);
  }
}

/** Ends the kind with less left; false if one of them is at its end already. */
function nudge(left: number[], targets: readonly number[]): boolean {
  const anon = left[LRU.inactiveAnon] + left[LRU.activeAnon];
  const file = left[LRU.inactiveFile] + left[LRU.activeFile];
  if (anon === 0 || file === 0) return false;
  const less = file > anon ? LRU.inactiveAnon : LRU.inactiveFile;
  const more = file > anon ? LRU.inactiveFile : LRU.inactiveAnon;
  const target = targets[less] + targets[less + 1] + 1;
  const percentage = Math.floor((Math.min(anon, file) * 100) / target);
  left[less] = 0;
  left[less + 1] = 0;
  for (const lru of [more, more + 1]) {
    const scanned = targets[lru] - left[lru];
    const wanted = Math.floor((targets[lru] * (100 - percentage)) / 100);
    left[lru] = wanted - Math.min(wanted, scanned);
  }
  return true;
}

/** Returns the pages that were freed. Linux: `shrink_list()`. */
function* shrinkList(
  sc: ScanControl,
  node: NodeReclaim,
  lru: LruList,
  pages: number,
): Blocking<number> {
  if (lru === LRU.inactiveAnon || lru === LRU.inactiveFile) {
    return yield* shrinkInactiveList(sc, node, lru, pages);
  }
  const bit = lru === LRU.activeFile ? DEACTIVATE.file : DEACTIVATE.anon;
  if ((sc.mayDeactivate & bit) !== 0) yield* shrinkActiveList(sc, node, lru, pages);
  else sc.skippedDeactivate = true;
  return 0;
}
