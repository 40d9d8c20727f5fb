/**
 * What a machine keeps of a folio beside the map goes with it when it moves.
 *
 * Called within `folioMigrateFlags`: who used the folio last before its flags are final, who
 * allocated it and who pays for it after. Linux: `folio_migrate_flags()`, `folio_copy_owner()`,
 * `mem_cgroup_migrate()`, 6.1.
 */
import { folioNrPages } from "../memory/folio.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { NO_CPUPID, type PageExt } from "../memory/page-ext.ts";
import { PG } from "../memory/page-flags.ts";
import type { MigrateReason } from "./reason.ts";

/** In the kernel's order: what `migrateReason` holds. Linux: `enum migrate_reason`. */
const REASON_NUMBER: Readonly<Record<MigrateReason, number>> = {
  compaction: 0,
  memory_failure: 1,
  memory_hotplug: 2,
  syscall_or_cpuset: 3,
  mempolicy_mbind: 4,
  numa_misplaced: 5,
  contig_range: 6,
  longterm_pin: 7,
  demotion: 8,
};

/** Who used it last. Between tiers the word means something else, and starts anew. */
export function migrateLastCpupid(mem: Memory, ext: PageExt, dst: Folio, src: Folio): void {
  const { lastCpupid, slowNodes } = ext;
  const isSlow = (folio: Folio): boolean => slowNodes.has(mem.nodeOf(folio).id);
  lastCpupid[dst] = isSlow(dst) === isSlow(src) ? lastCpupid[src] : NO_CPUPID;
  lastCpupid[src] = NO_CPUPID;
}

/** Who allocated it, and who pays; a hugetlb folio's charge goes with its pool's state. */
export function migrateOwnerAndCharge(mem: Memory, ext: PageExt, dst: Folio, src: Folio): void {
  const pages = folioNrPages(mem, src);
  ext.owner.copyWithin(dst, src, src + pages);
  ext.migrateReason.copyWithin(dst, src, src + pages);
  if ((mem.flags[src] & PG.hugetlb) !== 0) return;
  ext.memcg[dst] = ext.memcg[src];
  ext.memcg[src] = 0;
}

/** Why the folio came here. Linux: `folio_set_owner_migrate_reason()`. */
export function noteMigrateReason(
  mem: Memory,
  ext: PageExt,
  folio: Folio,
  reason: MigrateReason,
): void {
  ext.migrateReason.fill(REASON_NUMBER[reason], folio, folio + folioNrPages(mem, folio));
}
