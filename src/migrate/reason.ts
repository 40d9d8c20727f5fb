/**
 * Who asked for a move, and how the trace spells it.
 *
 * Linux: `enum migrate_reason`; `MIGRATE_REASON`, `MIGRATE_MODE` of include/trace/events/migrate.h.
 */
import type { MigrateMode } from "../pagecache/address-space.ts";

/** As the trace prints them, in the kernel's order. */
export type MigrateReason =
  | "compaction"
  | "memory_failure"
  | "memory_hotplug"
  | "syscall_or_cpuset"
  | "mempolicy_mbind"
  | "numa_misplaced"
  | "contig_range"
  | "longterm_pin"
  | "demotion";

/** What the trace prints for a mode; the last is not in its table and comes as a number. */
export const MODE_TRACE_NAMES: Readonly<Record<MigrateMode, string>> = {
  async: "MIGRATE_ASYNC",
  "sync-light": "MIGRATE_SYNC_LIGHT",
  sync: "MIGRATE_SYNC",
  "sync-no-copy": "0x3",
};
