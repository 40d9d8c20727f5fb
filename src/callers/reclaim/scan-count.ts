/**
 * How much of each list a round looks at: by size and priority, and between anonymous and cached
 * pages by what each has cost of late to bring back.
 *
 * Linux: `prepare_scan_count()`, `get_scan_count()`, mm/vmscan.c, 6.1.
 */
import { LRU, type LruList } from "../../memory/node.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import { DEACTIVATE, type ScanControl } from "./scan-control.ts";
import { inactiveIsLow } from "./shrink-active.ts";

/** The lists that reclaim goes through, in its order. */
export const EVICTABLE_LISTS: readonly Exclude<LruList, 4>[] = [
  LRU.inactiveAnon,
  LRU.activeAnon,
  LRU.inactiveFile,
  LRU.activeFile,
];

/** What a round goes by, in the fields of `sc`. */
export function prepareScanCount(sc: ScanControl, node: NodeReclaim): void {
  const { lruPages, zones } = node.node;
  sc.anonCost = node.anonCost;
  sc.fileCost = node.fileCost;
  if (sc.forceDeactivate) {
    sc.mayDeactivate = DEACTIVATE.anon | DEACTIVATE.file;
  } else {
    // Pages that come back say that what is active is not what is used.
    sc.mayDeactivate = 0;
    for (const kind of [0, 1] as const) {
      const refaults = node.activations[kind] !== node.refaults[kind];
      if (!refaults && !inactiveIsLow(node, kind)) continue;
      sc.mayDeactivate |= kind === 1 ? DEACTIVATE.file : DEACTIVATE.anon;
    }
  }
  const keepsActiveFile = (sc.mayDeactivate & DEACTIVATE.file) === 0;
  sc.cacheTrimMode = lruPages[LRU.inactiveFile] >> sc.priority > 0 && keepsActiveFile;
  let free = 0;
  let high = 0;
  for (const zone of zones) {
    free += zone.freePages;
    high += zone.watermarkHigh + zone.watermarkBoost;
  }
  const file = lruPages[LRU.activeFile] + lruPages[LRU.inactiveFile];
  sc.fileIsTiny =
    file + free <= high &&
    (sc.mayDeactivate & DEACTIVATE.anon) === 0 &&
    lruPages[LRU.inactiveAnon] >> sc.priority > 0;
}

/** Which kinds a round takes from. Linux: `enum scan_balance`. */
type ScanBalance = "equal" | "fraction" | "anon" | "file";

/** By list, pages to look at. */
export function getScanCount(sc: ScanControl, node: NodeReclaim): number[] {
  const balance = scanBalance(sc);
  const swappiness = sc.reclaimer.sysctl["vm.swappiness"];
  // A kind that costs the most keeps a third of the pressure at least.
  const cost = sc.anonCost + sc.fileCost;
  const anonCost = cost + sc.anonCost;
  const fileCost = cost + sc.fileCost;
  const total = anonCost + fileCost + 1;
  const anonShare = Math.floor((swappiness * total) / (anonCost + 1));
  const fileShare = Math.floor(((200 - swappiness) * total) / (fileCost + 1));
  return EVICTABLE_LISTS.map((lru) => {
    const isFile = lru === LRU.inactiveFile || lru === LRU.activeFile;
    const pages = Math.floor(listSize(sc, node, lru) / 2 ** sc.priority);
    if (balance === "equal") return pages;
    if (balance === "fraction") {
      const share = isFile ? fileShare : anonShare;
      return Math.floor((pages * share) / (anonShare + fileShare));
    }
    return (balance === "file") === isFile ? pages : 0;
  });
}

function scanBalance(sc: ScanControl): ScanBalance {
  const { sysctl, canReclaimAnon } = sc.reclaimer;
  if (!sc.maySwap || !canReclaimAnon) return "file";
  // Near the end there is no room for cleverness.
  if (sc.priority === 0 && sysctl["vm.swappiness"] > 0) return "equal";
  if (sc.fileIsTiny) return "anon";
  return sc.cacheTrimMode ? "file" : "fraction";
}

/** Pages of a list that the request can use. Linux: `lruvec_lru_size()`. */
function listSize(sc: ScanControl, node: NodeReclaim, lru: LruList): number {
  let pages = 0;
  for (const zone of node.zonesUpTo(sc.highestZone)) pages += zone.lruPages[lru];
  return pages;
}
