/**
 * Compaction's trace events, in the kernel's text.
 *
 * Linux: include/trace/events/compaction.h, 6.1; kernel records hold the same lines.
 */
import type { TraceSink } from "../../events/events.ts";
import type { ZoneType } from "../../memory/constants.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Zone } from "../../memory/zone.ts";
import type { CompactControl, CompactResult } from "./control.ts";

export function traceBegin(trace: TraceSink, cc: CompactControl): void {
  trace.event("mm_compaction_begin", scannerText(cc));
}

export function traceEnd(trace: TraceSink, cc: CompactControl, status: CompactResult): void {
  trace.event("mm_compaction_end", `${scannerText(cc)} status=${status}`);
}

export function traceFinished(
  trace: TraceSink,
  name: "mm_compaction_finished" | "mm_compaction_suitable",
  zone: Zone,
  order: number,
  result: CompactResult,
): void {
  const text = `node=${zone.node} zone=${zone.type.padEnd(8)} order=${order} ret=${result}`;
  trace.event(name, text);
}

export function traceDefer(
  mem: Memory,
  name: "mm_compaction_defer_compaction" | "mm_compaction_deferred" | "mm_compaction_defer_reset",
  zone: Zone,
  order: number,
): void {
  const { compactOrderFailed, compactConsidered, compactDeferShift } = zone;
  mem.events.trace?.event(
    name,
    `node=${zone.node} zone=${zone.type.padEnd(8)} order=${order} ` +
      `order_failed=${compactOrderFailed} consider=${compactConsidered} ` +
      `limit=${1 << compactDeferShift}`,
  );
}

export function traceKcompactd(
  mem: Memory,
  name: "mm_compaction_wakeup_kcompactd" | "mm_compaction_kcompactd_wake",
  node: number,
  order: number,
  highestZone: ZoneType,
): void {
  const text = `nid=${node} order=${order} classzone_idx=${highestZone.padEnd(8)}`;
  mem.events.trace?.event(name, text);
}

export function traceIsolate(
  trace: TraceSink,
  name: "mm_compaction_isolate_migratepages" | "mm_compaction_isolate_freepages",
  start: number,
  end: number,
  scanned: number,
  taken: number,
): void {
  const text = `range=(${hex(start)} ~ ${hex(end)}) nr_scanned=${scanned} nr_taken=${taken}`;
  trace.event(name, text);
}

export function traceMigratepages(trace: TraceSink, migrated: number, failed: number): void {
  trace.event("mm_compaction_migratepages", `nr_migrated=${migrated} nr_failed=${failed}`);
}

function scannerText(cc: CompactControl): string {
  const { zone, migratePfn, freePfn } = cc;
  const mode = cc.request.mode === "async" ? "async" : "sync";
  return (
    `zone_start=${hex(zone.startPfn)} migrate_pfn=${hex(migratePfn)} ` +
    `free_pfn=${hex(freePfn)} zone_end=${hex(zone.endPfn)}, mode=${mode}`
  );
}

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}
