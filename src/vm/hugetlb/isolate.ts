/**
 * Taking a hugetlb folio for a move, and giving it back: its mark "migratable" is what PG_lru is to
 * others, the right of one to take it.
 *
 * Linux: `isolate_hugetlb()`, `folio_putback_active_hugetlb()`, `move_hugetlb_state()`, 6.1.
 */
import { folioPut } from "../../memory/folio-ref.ts";
import type { Folio, PageList } from "../../memory/memmap.ts";
import { listAddTail, listDel } from "../../memory/page-list.ts";
import type { Vm } from "../vm.ts";
import { hstateOf } from "./enable.ts";
import {
  clearHugetlbBit,
  folioTestHugetlb,
  HPG,
  setHugetlbBit,
  testHugetlbBit,
} from "./folio-state.ts";

/** Puts the folio last on `list` with a reference; "EBUSY" if it is another's, free or no head. */
export function folioIsolateHugetlb(vm: Vm, folio: Folio, list: PageList): "isolated" | "EBUSY" {
  const { mem } = vm;
  if (!folioTestHugetlb(mem, folio) || !testHugetlbBit(mem, folio, HPG.migratable)) return "EBUSY";
  if (mem.refcount[folio] === 0) return "EBUSY";
  mem.refcount[folio]++;
  clearHugetlbBit(mem, folio, HPG.migratable);
  listDel(mem, folio);
  listAddTail(mem, list, folio);
  return "isolated";
}

/** Takes the folio off whatever list it is on; its last reference gives it back to the pool. */
export function folioPutbackHugetlb(vm: Vm, folio: Folio): void {
  setHugetlbBit(vm.mem, folio, HPG.migratable);
  hstateOf(vm).activate(folio);
  folioPut(vm.mem, folio);
}

/**
 * A locked `dst` is in the place of `src`: if it was made for that, it is the pool's from now on
 * and `src` is freed instead. A surplus page of the old node then counts as one of the new.
 */
export function moveHugetlbState(vm: Vm, dst: Folio, src: Folio): void {
  const { mem } = vm;
  const { surplusHugePagesNode: surplus } = hstateOf(vm);
  if (!testHugetlbBit(mem, dst, HPG.temporary)) return;
  clearHugetlbBit(mem, dst, HPG.temporary);
  setHugetlbBit(mem, src, HPG.temporary);
  const [from, to] = [mem.nodeOf(src).id, mem.nodeOf(dst).id];
  if (from === to || surplus[from] === 0) return;
  surplus[from]--;
  surplus[to]++;
}
