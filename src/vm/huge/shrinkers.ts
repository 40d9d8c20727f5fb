/**
 * What huge pages give back when memory is short: pages of folios that are mapped in part, and the
 * huge zero page.
 *
 * A folio of the queue is held, locked and taken off the LRU, split, and its pages put back, of
 * which those that nobody maps are free. It stays linked meanwhile, so that its own unmapping does
 * not queue it again; what could not be split goes back to the end of the queue.
 * Linux: `deferred_split_scan()`, `shrink_huge_zero_page_scan()`, mm/huge_memory.c, 6.1.
 */
import { folioOfDeferredLink } from "../../memory/deferred-split.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut, folioTryGet } from "../../memory/folio-ref.ts";
import { folioIsolateLru, folioPutbackLru } from "../../memory/lru.ts";
import type { Folio, PageList, Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import {
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listIsEnd,
  listSpliceTail,
} from "../../memory/page-list.ts";
import { SHRINK_STOP, type Shrinker } from "../../memory/shrinker.ts";
import type { Steps } from "../../sched/blocking.ts";
import { HUGE_PAGES } from "../page-tables.ts";
import { type SplitOutcome, splitFolioToList } from "../split-folio.ts";
import type { Vm } from "../vm.ts";
import { shrinkHugeZeroPage } from "./zero-page.ts";

/** Linux: DEFAULT_SEEKS, SHRINK_BATCH. */
const DEFAULTS = { seeks: 2, batch: 128 } as const;

/** The two of one machine, to be registered. */
export function hugePageShrinkers(vm: Vm): Shrinker[] {
  return [
    {
      name: "thp-zero",
      ...DEFAULTS,
      deferred: new Map(),
      countObjects: () => (hugeZeroPageIsIdle(vm) ? HUGE_PAGES : 0),
      *scanObjects(): Steps<number> {
        yield "shrink-huge-zero-page";
        return shrinkHugeZeroPage(vm);
      },
    },
    {
      name: "thp-deferred_split",
      ...DEFAULTS,
      deferred: new Map(),
      countObjects: (mem, node) => mem.nodes[node].deferredSplitCount,
      scanObjects: (_mem, node, count) => splitDeferredFolios(vm, node, count),
    },
  ];
}

function hugeZeroPageIsIdle({ hugeZero }: Vm): boolean {
  return hugeZero.folio !== null && hugeZero.processes === 0;
}

/** Splits the first `count` folios of a node's queue; how many it could, or SHRINK_STOP. */
export function* splitDeferredFolios(vm: Vm, node: number, count: number): Steps<number> {
  const { mem } = vm;
  const queue = mem.nodes[node].deferredSplit;
  const taken = takeFromQueue(mem, queue, mem.takeList(), count);
  let split = 0;
  let link = listFirst(mem, taken);
  while (!listIsEnd(taken, link)) {
    // Its successor is held, as all that were taken are: it stays on the list.
    const next = mem.next[link] as Pfn;
    const folio = folioOfDeferredLink(link);
    yield "split-deferred-folio";
    if ((yield* trySplit(vm, folio)) === "split") split++;
    link = next;
  }
  listSpliceTail(mem, taken, queue);
  mem.releaseList(taken);
  return split === 0 && listEmpty(mem, queue) ? SHRINK_STOP : split;
}

/** Moves up to `count` folios, each with a reference, to the list `taken`. */
function takeFromQueue(mem: Memory, queue: PageList, taken: PageList, count: number): PageList {
  for (let at = 0; at < count && !listEmpty(mem, queue); at++) {
    const link = listFirst(mem, queue);
    listDel(mem, link);
    // A folio without references is frozen, by somebody who will look for it here.
    if (folioTryGet(mem, folioOfDeferredLink(link))) listAddTail(mem, taken, link);
    else listAddTail(mem, queue, link);
  }
  return taken;
}

/** Splits a folio, whose reference it takes over, if nobody else has it in hand. */
function* trySplit(vm: Vm, folio: Folio): Steps<SplitOutcome> {
  const { mem } = vm;
  const isOurs = folioTrylock(mem, folio);
  if (!isOurs || !folioIsolateLru(mem, folio)) {
    if (isOurs) folioUnlock(mem, folio);
    folioPut(mem, folio);
    return "EBUSY";
  }
  // The isolation's reference is the one that the split counts with.
  folioPut(mem, folio);
  const pieces = mem.takeList();
  const outcome = yield* splitFolioToList(vm, folio, pieces);
  folioUnlock(mem, folio);
  putBack(mem, folio);
  while (!listEmpty(mem, pieces)) {
    const piece = listFirst(mem, pieces) as Folio;
    listDel(mem, piece);
    putBack(mem, piece);
  }
  mem.releaseList(pieces);
  return outcome;
}

/** To the LRU, unless nobody else has it: then it is free. */
function putBack(mem: Memory, folio: Folio): void {
  if (mem.refcount[folio] > 1) {
    folioPutbackLru(mem, folio);
    return;
  }
  mem.flags[folio] &= ~(PG.active | PG.unevictable);
  folioPut(mem, folio);
}
