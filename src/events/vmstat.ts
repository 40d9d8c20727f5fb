/**
 * The kernel's event counters, by the names that /proc/vmstat prints.
 *
 * Only what Godwit counts is here; a name that is absent is not counted, which is not the same as
 * zero. Linux: `enum vm_event_item`. Counts are in base pages unless the name says otherwise.
 */
/** By name: its place in `Vmstat.counts`. */
export const VM_EVENT = {
  pgalloc: 0,
  pgfree: 1,
  pgmigrate_success: 2,
  pgmigrate_fail: 3,
  thp_migration_success: 4,
  thp_migration_fail: 5,
  thp_migration_split: 6,
  compact_migrate_scanned: 7,
  compact_free_scanned: 8,
  compact_isolated: 9,
  unevictable_pgs_culled: 10,
  unevictable_pgs_rescued: 11,
  unevictable_pgs_mlocked: 12,
  unevictable_pgs_munlocked: 13,
  unevictable_pgs_cleared: 14,
  unevictable_pgs_stranded: 15,
  allocstall_dma: 16,
  allocstall_dma32: 17,
  allocstall_normal: 18,
  allocstall_movable: 19,
  allocstall_device: 20,
  pgskip_dma: 21,
  pgskip_dma32: 22,
  pgskip_normal: 23,
  pgskip_movable: 24,
  pgskip_device: 25,
  pgactivate: 26,
  pgdeactivate: 27,
  pglazyfree: 28,
  pglazyfreed: 29,
  pgrefill: 30,
  pgsteal_kswapd: 31,
  pgsteal_direct: 32,
  pgscan_kswapd: 33,
  pgscan_direct: 34,
  pgscan_direct_throttle: 35,
  pgscan_anon: 36,
  pgscan_file: 37,
  pgsteal_anon: 38,
  pgsteal_file: 39,
  slabs_scanned: 40,
  kswapd_low_wmark_hit_quickly: 41,
  kswapd_high_wmark_hit_quickly: 42,
  pageoutrun: 43,
  pgrotated: 44,
  nr_vmscan_write: 45,
  nr_vmscan_immediate_reclaim: 46,
  thp_swpout_fallback: 47,
  thp_fault_alloc: 48,
  thp_fault_fallback: 49,
  thp_split_page: 50,
  thp_split_page_failed: 51,
  thp_deferred_split_page: 52,
  thp_split_pmd: 53,
  thp_zero_page_alloc: 54,
  thp_zero_page_alloc_failed: 55,
  pgmajfault: 56,
  pswpin: 57,
  pswpout: 58,
  compact_stall: 59,
  compact_fail: 60,
  compact_success: 61,
  compact_daemon_wake: 62,
  compact_daemon_migrate_scanned: 63,
  compact_daemon_free_scanned: 64,
  workingset_refault_anon: 65,
  workingset_refault_file: 66,
  workingset_activate_anon: 67,
  workingset_activate_file: 68,
  workingset_restore_anon: 69,
  workingset_restore_file: 70,
  htlb_buddy_alloc_success: 71,
  htlb_buddy_alloc_fail: 72,
  thp_swpout: 73,
  swap_ra: 74,
  swap_ra_hit: 75,
} as const;

export type VmEventName = keyof typeof VM_EVENT;

/** In the order of the counters. */
export const VM_EVENT_NAMES: readonly VmEventName[] = Object.keys(VM_EVENT) as VmEventName[];

/** The counters of one machine. `counts` is indexed by `VM_EVENT`. */
export class Vmstat {
  readonly counts: Float64Array = new Float64Array(VM_EVENT_NAMES.length);

  /** The counters as a plain object, in the order of /proc/vmstat. */
  snapshot(): Record<VmEventName, number> {
    const entries = VM_EVENT_NAMES.map((name, event) => [name, this.counts[event]]);
    return Object.fromEntries(entries) as Record<VmEventName, number>;
  }
}
