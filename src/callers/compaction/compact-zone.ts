/**
 * Compacts one zone: rounds of isolating, moving and putting back until the scanners meet.
 *
 * Order of a round: is it finished; isolate folios from one pageblock; move them to what the free
 * scanner has, which isolates more as it is asked; put back those that stayed. A round that gets
 * no free page ends the zone. Linux: `compact_zone()`, mm/compaction.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { pageblockStart } from "../../memory/constants.ts";
import { lruAddDrain, lruAddDrainAll } from "../../memory/lru.ts";
import { drainPcp } from "../../memory/pcp.ts";
import type { Zone } from "../../memory/zone.ts";
import { migratePages } from "../../migrate/migrate-pages.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Vm } from "../../vm/vm.ts";
import {
  COMPACT_MEMORY,
  CompactControl,
  type CompactRequest,
  type CompactResult,
  type CompactSysctl,
  lastBlockStart,
} from "./control.ts";
import { compactionRestarting } from "./defer.ts";
import { FreeScannerTarget } from "./isolate-freepages.ts";
import { isolateMigratepages } from "./isolate-migratepages.ts";
import { resetIsolationSuitable } from "./reset-isolation.ts";
import { compactFinished, compactionSuitable, scannersMet } from "./suitable.ts";
import { traceBegin, traceEnd, traceMigratepages } from "./trace.ts";

/** How the compaction of one zone went. */
export interface ZoneCompaction {
  readonly zone: Zone;
  readonly result: CompactResult;
  /** Frames that each scanner looked at. */
  readonly migrateScanned: number;
  readonly freeScanned: number;
}

/** Compacts every zone of the machine whole. Linux: `compact_memory`, `compact_nodes()`. */
export function* compactMemory(vm: Vm, sysctl: CompactSysctl): Blocking<ZoneCompaction[]> {
  lruAddDrainAll(vm.mem);
  const done: ZoneCompaction[] = [];
  for (const node of vm.mem.nodes) {
    for (const zone of node.zones) done.push(yield* compactZone(vm, zone, COMPACT_MEMORY, sysctl));
  }
  return done;
}

/** Compacts one zone as `request` says. */
export function* compactZone(
  vm: Vm,
  zone: Zone,
  request: CompactRequest,
  sysctl: CompactSysctl,
): Blocking<ZoneCompaction> {
  const cc = new CompactControl(vm, zone, request, sysctl);
  const suitable = compactionSuitable(vm.mem, zone, request, sysctl);
  let result = suitable;
  const { trace } = vm.mem.events;
  if (suitable === "continue") {
    // Put off often enough: what was hopeless then is looked at again.
    if (compactionRestarting(zone, request.order)) resetIsolationSuitable(vm.mem, zone);
    placeScanners(cc);
    if (trace !== null) traceBegin(trace, cc);
    lruAddDrain(vm.mem);
    result = yield* runScanners(cc);
  }
  releaseAndCount(cc);
  if (trace !== null && suitable === "continue") traceEnd(trace, cc, result);
  const { migrateScanned, freeScanned } = cc;
  return { zone, result, migrateScanned, freeScanned };
}

function placeScanners(cc: CompactControl): void {
  const { zone, request } = cc;
  if (cc.wholeZone) {
    cc.migratePfn = zone.startPfn;
    cc.freePfn = lastBlockStart(zone);
    return;
  }
  cc.migratePfn = zone.compactCachedMigratePfn[request.mode === "async" ? 0 : 1];
  cc.freePfn = zone.compactCachedFreePfn;
  if (cc.freePfn < zone.startPfn || cc.freePfn >= zone.endPfn) {
    cc.freePfn = lastBlockStart(zone);
    zone.compactCachedFreePfn = cc.freePfn;
  }
  if (cc.migratePfn < zone.startPfn || cc.migratePfn >= zone.endPfn) {
    cc.migratePfn = zone.startPfn;
    zone.compactCachedMigratePfn.fill(cc.migratePfn);
  }
  if (cc.migratePfn <= zone.compactInitMigratePfn) cc.wholeZone = true;
}

function* runScanners(cc: CompactControl): Blocking<CompactResult> {
  const { vm, zone, request } = cc;
  const target = new FreeScannerTarget(cc);
  const cached = zone.compactCachedMigratePfn;
  let updatesAsync = request.mode === "async" && cached[0] === cached[1];
  let lastMigrated = 0;
  for (;;) {
    const state = compactFinished(cc);
    if (state !== "continue") return state;
    const roundStart = cc.migratePfn;
    cc.rescan = pageblockStart(lastMigrated) === pageblockStart(roundStart);
    const isolated = yield* isolateMigratepages(cc);
    if (isolated === "abort") {
      yield* putbackMovablePages(vm, cc.migratepages);
      cc.migrateCount = 0;
      return "contended";
    }
    if (isolated === "none") {
      if (updatesAsync) cached[1] = cached[0];
    } else {
      updatesAsync = false;
      lastMigrated = roundStart;
      const ended = yield* moveIsolated(cc, target);
      if (ended) return "contended";
      if (cc.directSkipped) lastMigrated = 0;
    }
    if (request.order > 0 && lastMigrated > 0) lastMigrated = drainBehind(cc, lastMigrated);
    if (vm.mem.capture !== null && vm.mem.capture.page !== -1) return "success";
  }
}

/** Moves what was isolated. True if there is no free page left to move to. */
function* moveIsolated(cc: CompactControl, target: FreeScannerTarget): Blocking<boolean> {
  const { vm, request } = cc;
  const { mem } = vm;
  const isolated = cc.migrateCount;
  const { error, notMoved, succeededPages } = yield* migratePages(
    vm,
    cc.migratepages,
    target,
    request.mode,
    "compaction",
  );
  const { trace } = mem.events;
  if (trace !== null) traceMigratepages(trace, succeededPages, isolated - succeededPages);
  cc.migrateCount = 0;
  cc.directSkipped = false;
  if (error === null && notMoved === 0) return false;
  yield* putbackMovablePages(vm, cc.migratepages);
  if (error === "ENOMEM" && !scannersMet(cc)) return true;
  if (request.direct && request.mode === "async") {
    // One page that stays spoils the aligned block that is wanted: go on behind it.
    const pages = 1 << request.order;
    cc.migratePfn = Math.ceil(cc.migratePfn / pages) * pages;
    cc.directSkipped = true;
  }
  return false;
}

/** Freed pages of a block of the wanted order must merge to be seen: out of the batches. */
function drainBehind(cc: CompactControl, lastMigrated: number): number {
  const { mem } = cc.vm;
  const pages = 1 << cc.request.order;
  const blockStart = cc.migratePfn - (cc.migratePfn % pages);
  if (lastMigrated >= blockStart) return lastMigrated;
  lruAddDrain(mem);
  drainPcp(mem, cc.zone, mem.cpu);
  return 0;
}

/** Gives back the free pages that are left, and lets the next free scanner begin above them. */
function releaseAndCount(cc: CompactControl): void {
  const { zone } = cc;
  const start = pageblockStart(cc.release());
  if (start > zone.compactCachedFreePfn) zone.compactCachedFreePfn = start;
  const { events } = cc.vm.mem;
  events.count(VM_EVENT.compact_migrate_scanned, cc.migrateScanned);
  events.count(VM_EVENT.compact_free_scanned, cc.freeScanned);
}
