/**
 * One batch off the tail of an active list: most go to the inactive list, for a last look.
 *
 * What was used since is not spared, as it will be noticed again there; but the code of programs
 * is, for one more round. Young bits are cleared on the way. Linux: `shrink_active_list()`,
 * mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioPutbackLru, lruAddDrain } from "../../memory/lru.ts";
import { folioEvictable, isolatedClass } from "../../memory/lru-list.ts";
import type { Folio } from "../../memory/memmap.ts";
import { LRU, type LruList } from "../../memory/node.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAdd, listDel, listEmpty, listLast } from "../../memory/page-list.ts";
import type { Steps } from "../../sched/blocking.ts";
import { folioReferenced } from "../../vm/folio-referenced.ts";
import { VM } from "../../vm/mm.ts";
import { isolateLruFolios } from "./isolate-folios.ts";
import { moveFoliosToLru } from "./putback.ts";
import type { NodeReclaim } from "./reclaimer.ts";
import type { ScanControl } from "./scan-control.ts";

export function* shrinkActiveList(
  sc: ScanControl,
  node: NodeReclaim,
  lru: LruList,
  pages: number,
): Steps<void> {
  const { vm } = sc.reclaimer;
  const { mem } = vm;
  const kind = lru === LRU.activeFile ? 1 : 0;
  lruAddDrain(mem);
  const held = mem.takeList();
  const active = mem.takeList();
  const inactive = mem.takeList();
  const { taken, scanned } = isolateLruFolios(sc, node, lru, pages, held);
  node.node.isolatedPages[kind] += taken;
  mem.events.count(VM_EVENT.pgrefill, scanned);
  while (!listEmpty(mem, held)) {
    yield "shrink-active-next";
    const folio = listLast(mem, held) as Folio;
    listDel(mem, folio);
    if (!folioEvictable(mem, folio)) {
      folioPutbackLru(mem, folio);
      continue;
    }
    const { vmFlags } = yield* folioReferenced(vm, folio, "unlocked");
    if ((vmFlags & VM.exec) !== 0 && isolatedClass(mem, folio) === 1) {
      listAdd(mem, active, folio);
      continue;
    }
    mem.flags[folio] = (mem.flags[folio] & ~PG.active) | PG.workingset;
    listAdd(mem, inactive, folio);
  }
  moveFoliosToLru(mem, active);
  mem.events.count(VM_EVENT.pgdeactivate, moveFoliosToLru(mem, inactive));
  node.node.isolatedPages[kind] -= taken;
  node.node.throttled.wakeAll();
  for (const list of [held, active, inactive]) mem.releaseList(list);
}

/**
 * Whether a kind's inactive list is short against its active one: 1:1 up to 1 GiB, 1:3 at 1 GiB and
 * falling with the root of the size. Linux: `inactive_is_low()`.
 */
export function inactiveIsLow({ node }: NodeReclaim, kind: 0 | 1): boolean {
  const inactive = node.lruPages[kind === 1 ? LRU.inactiveFile : LRU.inactiveAnon];
  const active = node.lruPages[kind === 1 ? LRU.activeFile : LRU.activeAnon];
  const gigabytes = Math.floor((inactive + active) / PAGES_PER_GIGABYTE);
  const ratio = gigabytes > 0 ? Math.floor(Math.sqrt(10 * gigabytes)) : 1;
  return inactive * ratio < active;
}

const PAGES_PER_GIGABYTE = 0x4_0000;
