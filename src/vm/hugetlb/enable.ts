/**
 * The machine's pool of huge pages, made when it is first asked for.
 *
 * A machine without one pays one test where hugetlb would matter.
 */
import { assert } from "../../base/assert.ts";
import type { Vm } from "../vm.ts";
import { freeHugetlbFolio } from "./free.ts";
import { Hstate } from "./hstate.ts";
import { releaseFree } from "./pool-size.ts";

/** The pool, empty if new. */
export function enableHugetlb(vm: Vm): Hstate {
  if (vm.hstate !== null) return vm.hstate;
  const hstate = new Hstate(vm.mem);
  vm.mem.freeHugetlb = (folio) => freeHugetlbFolio(hstate, folio);
  vm.hstate = hstate;
  return hstate;
}

/** The pool of a machine that has hugetlb folios. */
export function hstateOf(vm: Vm): Hstate {
  assert(vm.hstate !== null, "a hugetlb folio on a machine without a pool");
  return vm.hstate;
}

/** The pool's end: every page must be free and promised to nobody. */
export function disableHugetlb(vm: Vm): void {
  const { mem, hstate } = vm;
  if (hstate === null) return;
  assert(hstate.resvHugePages === 0, "huge pages are still promised:", hstate.resvHugePages);
  for (const node of mem.nodes) while (releaseFree(hstate, node.id, "persistent"));
  assert(hstate.nrHugePages === 0, "huge pages leaked:", hstate.nrHugePages);
  assert(hstate.surplusHugePages === 0, "surplus huge pages leaked:", hstate.surplusHugePages);
  for (const { id, usedHugePages } of hstate.subpools) {
    assert(usedHugePages === 0, "a subpool is still charged:", id, usedHugePages);
  }
  for (const list of [...hstate.freeLists, hstate.activeList]) mem.releaseList(list);
  mem.freeHugetlb = null;
  vm.hstate = null;
}
