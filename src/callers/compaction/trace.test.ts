/** Each of compaction's events as the kernel prints it: hexadecimal, padding, commas and all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines, type TraceSink } from "../../events/events.ts";
import { PAGEBLOCK_NR_PAGES } from "../../memory/constants.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  CompactControl,
  type CompactMode,
  type CompactResult,
} from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import * as tell from "./trace.ts";

/** A zone of four pageblocks whose third attempt of order 9 is put off. */
function zone(): HandMadeZone {
  const made = new HandMadeZone(4, { type: "DMA32" });
  made.zone.compactOrderFailed = 9;
  made.zone.compactConsidered = 3;
  made.zone.compactDeferShift = 5;
  return made;
}

function control(mode: CompactMode): CompactControl {
  const { vm, zone: scanned } = zone();
  const request = { ...COMPACT_MEMORY, mode };
  const cc = new CompactControl(vm, scanned, request, COMPACT_SYSCTL_DEFAULTS);
  cc.migratePfn = scanned.startPfn + 7;
  cc.freePfn = scanned.startPfn + 3 * PAGEBLOCK_NR_PAGES;
  return cc;
}

function told(events: (trace: TraceSink) => void): string[] {
  const lines = new TraceLines();
  events(lines);
  return lines.lines;
}

test("begin and end tell the scanners' places; only an asynchronous mode is called so", () => {
  for (const [mode, name] of [
    ["async", "async"],
    ["sync-light", "sync"],
    ["sync", "sync"],
  ] as const) {
    const places = "zone_start=0x200 migrate_pfn=0x207 free_pfn=0x800 zone_end=0xa00";
    const lines = told((trace) => {
      tell.traceBegin(trace, control(mode));
      tell.traceEnd(trace, control(mode), "partial_skipped");
    });
    assert.deepEqual(lines, [
      `mm_compaction_begin: ${places}, mode=${name}`,
      `mm_compaction_end: ${places}, mode=${name} status=partial_skipped`,
    ]);
  }
});

test("each result has the kernel's name, each zone eight columns", () => {
  const results: readonly CompactResult[] = [
    "skipped",
    "deferred",
    "continue",
    "success",
    "partial_skipped",
    "complete",
    "no_suitable_page",
    "not_suitable_zone",
    "contended",
  ];
  for (const result of results) {
    for (const name of ["mm_compaction_finished", "mm_compaction_suitable"] as const) {
      assert.deepEqual(
        told((trace) => tell.traceFinished(trace, name, zone().zone, 9, result)),
        [`${name}: node=0 zone=DMA32    order=9 ret=${result}`],
      );
    }
  }
});

test("deferral tells what it counts, and the limit that a shift stands for", () => {
  for (const name of [
    "mm_compaction_defer_compaction",
    "mm_compaction_deferred",
    "mm_compaction_defer_reset",
  ] as const) {
    const made = zone();
    tell.traceDefer(made.mem, name, made.zone, 9);
    assert.deepEqual(made.trace.lines, [
      `${name}: node=0 zone=DMA32    order=9 order_failed=9 consider=3 limit=32`,
    ]);
  }
});

test("kcompactd is woken for an order and a zone", () => {
  for (const name of ["mm_compaction_wakeup_kcompactd", "mm_compaction_kcompactd_wake"] as const) {
    const made = zone();
    tell.traceKcompactd(made.mem, name, 1, 9, "Normal");
    assert.deepEqual(made.trace.lines, [`${name}: nid=1 order=9 classzone_idx=Normal  `]);
  }
});

test("the scanners tell ranges, the moves what came of them", () => {
  const lines = told((trace) => {
    tell.traceIsolate(trace, "mm_compaction_isolate_migratepages", 0x200, 0x3ff, 511, 32);
    tell.traceIsolate(trace, "mm_compaction_isolate_freepages", 0x400, 0x420, 32, 0);
    tell.traceMigratepages(trace, 31, 1);
  });
  assert.deepEqual(lines, [
    "mm_compaction_isolate_migratepages: range=(0x200 ~ 0x3ff) nr_scanned=511 nr_taken=32",
    "mm_compaction_isolate_freepages: range=(0x400 ~ 0x420) nr_scanned=32 nr_taken=0",
    "mm_compaction_migratepages: nr_migrated=31 nr_failed=1",
  ]);
});
