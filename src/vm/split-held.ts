/**
 * Splitting a large folio that stays where it is: on the LRU, held and locked by the caller.
 *
 * It is taken off the LRU for the split, and its pages go back there. The caller's reference is the
 * one that the split counts with, and is the first page's afterwards. Linux: `split_folio()`, which
 * leaves the folio on the LRU and puts its pages beside it.
 */
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { folioIsolateLru, folioPutbackLru } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import { listDel, listEmpty, listFirst } from "../memory/page-list.ts";
import type { Steps } from "../sched/blocking.ts";
import { splitFolioToList } from "./split-folio.ts";
import type { Vm } from "./vm.ts";

/** False, with the folio whole, if somebody else holds it or has taken it off the LRU. */
export function* splitHeldFolio(vm: Vm, folio: Folio): Steps<boolean> {
  const { mem } = vm;
  if (!folioIsolateLru(mem, folio)) return false;
  folioPut(mem, folio);
  const pieces = mem.takeList();
  const outcome = yield* splitFolioToList(vm, folio, pieces);
  folioGet(mem, folio);
  folioPutbackLru(mem, folio);
  while (!listEmpty(mem, pieces)) {
    const piece = listFirst(mem, pieces) as Folio;
    listDel(mem, piece);
    folioPutbackLru(mem, piece);
  }
  mem.releaseList(pieces);
  return outcome === "split";
}
