/**
 * Reclaim at the service of the rooms below: of allocation, and of pages that come back.
 */
import type { PageList } from "../../memory/memmap.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { tryToFreePages } from "./direct-reclaim.ts";
import { wakeupKswapd } from "./kswapd.ts";
import { reclaimPages } from "./reclaim-list.ts";
import type { Reclaimer } from "./reclaimer.ts";
import { workingsetRefault } from "./workingset.ts";

/** From now on allocations of the machine reclaim, and returns of evicted pages are told. */
export function supplyReclaim(reclaimer: Reclaimer): void {
  const { mem, cache } = reclaimer.vm;
  const { allocHooks } = mem;
  allocHooks.directReclaim = (request) => tryToFreePages(reclaimer, request);
  allocHooks.reclaimablePages = (zone) => zoneReclaimablePages(reclaimer, zone);
  allocHooks.wakeKswapd = (zone, order, highest, gfp) =>
    wakeupKswapd(reclaimer, zone, order, highest, gfp);
  reclaimer.vm.reclaimPages = function* (list: PageList): Blocking<void> {
    yield* reclaimPages(reclaimer, list);
  };
  allocHooks.kswapdIsRunning = ({ id }) => {
    const { hasKswapd, kswapdWait } = reclaimer.nodes[id];
    return hasKswapd && kswapdWait.empty;
  };
  cache.workingsetRefault = (folio, shadow) => workingsetRefault(reclaimer, folio, shadow);
}

/** What reclaim could free of a zone at best. Linux: `zone_reclaimable_pages()`. */
function zoneReclaimablePages(reclaimer: Reclaimer, { lruPages }: Zone): number {
  const file = lruPages[2] + lruPages[3];
  return reclaimer.canReclaimAnon ? file + lruPages[0] + lruPages[1] : file;
}
