/**
 * A new folio for one that is to be moved, as most callers of migration want it.
 *
 * The caller says how hard to try and where; the source says how large. A large folio is taken if
 * one is there, and never reclaimed for more than compaction can give. A hugetlb folio's comes out
 * of the pool, or is a temporary one. May sleep if `gfp` may.
 * Linux: `alloc_migration_target()`, mm/migrate.c, 6.1.
 */
import { folioOrder } from "../memory/folio.ts";
import { GFP, GFP_RECLAIM, GFP_TRANSHUGE, gfpRequest } from "../memory/gfp.ts";
import type { Folio } from "../memory/memmap.ts";
import { folioAllocGfp } from "../memory/page-alloc.ts";
import type { Blocking } from "../sched/blocking.ts";
import { allocHugetlbNodemask } from "../vm/hugetlb/alloc.ts";
import { hstateOf } from "../vm/hugetlb/enable.ts";
import { folioTestHugetlb } from "../vm/hugetlb/folio-state.ts";
import type { Vm } from "../vm/vm.ts";

/** Where new folios may come from. Linux: `struct migration_target_control`. */
export interface MigrationTargetControl {
  /** The node to begin with; that of the source if null. */
  readonly node: number | null;
  /** GFP bits for a single page. */
  readonly gfp: number;
  /** By id, the nodes that will do; all if absent. */
  readonly nodes?: readonly number[];
}

/** A folio of the order of `src` with one reference, or null. */
export function* allocMigrationTarget(
  vm: Vm,
  src: Folio,
  control: MigrationTargetControl,
): Blocking<Folio | null> {
  const { mem } = vm;
  const order = folioOrder(mem, src);
  const node = control.node ?? mem.nodeOf(src).id;
  let { gfp } = control;
  if (folioTestHugetlb(mem, src)) {
    return yield* allocHugetlbNodemask(hstateOf(vm), { ...control, node });
  }
  if (order > 0) gfp = (gfp & ~GFP_RECLAIM) | GFP_TRANSHUGE;
  // What may lie in a Movable zone may lie in one again.
  if (mem.zoneOf(src).type === "Movable") gfp |= GFP.highmem;
  return yield* folioAllocGfp(mem, gfpRequest(gfp, order, node, control.nodes));
}
