/**
 * The kernel's event counters, by the names that /proc/vmstat prints.
 *
 * Only what Godwit counts is here; a name that is absent is not counted, which is not the same as
 * zero. Linux: `enum vm_event_item`. Counts are in base pages unless the name says otherwise.
 */
export const VM_EVENT_NAMES = [
  "pgalloc",
  "pgfree",
  "pgmigrate_success",
  "pgmigrate_fail",
  "thp_migration_success",
  "thp_migration_fail",
  "thp_migration_split",
  "compact_migrate_scanned",
  "compact_free_scanned",
  "compact_isolated",
  "unevictable_pgs_culled",
  "unevictable_pgs_rescued",
  "unevictable_pgs_mlocked",
  "unevictable_pgs_munlocked",
  "unevictable_pgs_stranded",
] as const;

export type VmEventName = (typeof VM_EVENT_NAMES)[number];

/** The counters of one machine. `counts` is indexed by `VM_EVENT`. */
export class Vmstat {
  readonly counts: Float64Array = new Float64Array(VM_EVENT_NAMES.length);

  /** The counters as a plain object, in the order of /proc/vmstat. */
  snapshot(): Record<VmEventName, number> {
    const entries = VM_EVENT_NAMES.map((name, event) => [name, this.counts[event]]);
    return Object.fromEntries(entries) as Record<VmEventName, number>;
  }
}

/** Index of each event in `Vmstat.counts`. */
export const VM_EVENT: Readonly<Record<VmEventName, number>> = Object.fromEntries(
  VM_EVENT_NAMES.map((name, event) => [name, event]),
) as Record<VmEventName, number>;
