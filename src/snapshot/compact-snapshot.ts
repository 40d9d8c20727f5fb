/**
 * The main job: a snapshot's machine, compacted with real contents, and what came of it as data.
 *
 * Order of steps: build, check the invariants, fill, compact, check again, verify every page,
 * explain what stayed. Time is taken around the compaction alone.
 */
import { PROFILES, type Release, releaseFor } from "../base/profile.ts";
import {
  compactMemory,
  compactZone,
  type ZoneCompaction,
} from "../callers/compaction/compact-zone.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  type CompactRequest,
  type CompactSysctl,
} from "../callers/compaction/control.ts";
import { directRequest } from "../callers/compaction/direct.ts";
import type { VmEventName } from "../events/vmstat.ts";
import { fillContents, type Verification, verifyContents } from "../machine/contents.ts";
import { freeBlocksByOrder } from "../machine/free-blocks.ts";
import { checkInvariants } from "../machine/invariants.ts";
import type { Machine } from "../machine/machine.ts";
import { GFP_HIGHUSER_MOVABLE, gfpRequest } from "../memory/gfp.ts";
import { ALLOC } from "../memory/watermark.ts";
import type { Zone } from "../memory/zone.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { machineFromSnapshot } from "./machine-from-snapshot.ts";
import { kindsOfMachine } from "./machine-kinds.ts";
import { freeHugePages, type Snapshot, type SnapshotSummary } from "./snapshot.ts";
import { countStayed, type Stayed } from "./stay-reasons.ts";

export interface CompactOptions {
  readonly contents: "bytes" | "tokens";
  readonly seed: number;
  /** The release of Linux to act as. */
  readonly release: Release;
  /** How much the migration may wait, and what is wanted: see `compactRequest`. */
  readonly mode: CompactRequest["mode"];
  readonly order: number;
  readonly sysctl: CompactSysctl;
  /** Only this zone, or all. */
  readonly zone: { readonly node: number; readonly type: string } | null;
  /** Frames known to be pinned. */
  readonly pins: Int32Array | null;
  /** Called as each step begins, for progress. */
  readonly onStep?: (step: CompactStep) => void;
}

/** As for `godwit compact`: all of the memory, in real bytes, by the snapshot's own release. */
export function compactDefaults({ kernel, pins }: Snapshot): CompactOptions {
  return {
    contents: "bytes",
    seed: 1,
    release: releaseFor(kernel),
    mode: COMPACT_MEMORY.mode,
    order: COMPACT_MEMORY.order,
    sysctl: COMPACT_SYSCTL_DEFAULTS,
    zone: null,
    pins,
  };
}

export type CompactStep = "build" | "fill" | "compact" | "verify" | "explain";

/** What `godwit compact --json` prints. Counts are in base pages unless the name says otherwise. */
export interface CompactReport {
  readonly pages: number;
  readonly contents: "bytes" | "tokens";
  /** The release of Linux that was acted as. */
  readonly kernel: Release;
  readonly moved: number;
  /** Folios still refused when the run ended. */
  readonly failed: number;
  readonly scanned: { readonly migrate: number; readonly free: number };
  /** Of the compaction alone. */
  readonly seconds: number;
  readonly nanosecondsPerPage: number;
  readonly verified: Verification;
  /** Free blocks by order, 0 to 10. */
  readonly free: { readonly before: readonly number[]; readonly after: readonly number[] };
  /** Free 2 MiB blocks; `kernel` is what the kernel's own compaction left, or null. */
  readonly hugePages: {
    readonly before: number;
    readonly after: number;
    readonly kernel: number | null;
  };
  readonly stayed: readonly Stayed[];
  readonly vmstat: Readonly<Record<VmEventName, number>>;
}

/** The report, and what a picture needs besides. */
export interface CompactRun {
  readonly report: CompactReport;
  /** What was asked for. */
  readonly options: CompactOptions;
  readonly machine: Machine;
  readonly zones: readonly ZoneCompaction[];
  /** By pfn, `PAGE_KIND`, after the run; before it, it is the snapshot's. */
  readonly kindsAfter: Uint8Array;
}

/** Throws `InvariantError` where the machine is not as it must be, before or after. */
export function compactSnapshot(
  snapshot: Snapshot,
  other: SnapshotSummary | null,
  options: CompactOptions,
): CompactRun {
  const step = options.onStep ?? (() => {});
  step("build");
  const { contents, pins, seed } = options;
  const machine = machineFromSnapshot(snapshot, { contents, ...(pins === null ? {} : { pins }) });
  machine.sysctl = { ...machine.sysctl, ...options.sysctl };
  machine.mem.profile = PROFILES[options.release];
  checkInvariants(machine);
  step("fill");
  const filled = fillContents(machine, seed);
  const before = freeBlocksByOrder(machine);
  step("compact");
  const start = performance.now();
  const zones = runToEnd(compactWanted(machine, options));
  const seconds = (performance.now() - start) / 1000;
  step("verify");
  checkInvariants(machine);
  const verified = verifyContents(machine, seed, filled);
  step("explain");
  const vmstat = machine.mem.events.vmstat.snapshot();
  const moved = vmstat.pgmigrate_success;
  const after = freeBlocksByOrder(machine);
  const report: CompactReport = {
    pages: machine.mem.zones.reduce((sum, { present }) => sum + present, 0),
    contents,
    kernel: options.release,
    moved,
    failed: machine.mem.events.refusals.standing.size,
    scanned: {
      migrate: zones.reduce((sum, { migrateScanned }) => sum + migrateScanned, 0),
      free: zones.reduce((sum, { freeScanned }) => sum + freeScanned, 0),
    },
    seconds,
    nanosecondsPerPage: moved === 0 ? 0 : (seconds * 1e9) / moved,
    verified,
    free: { before, after },
    hugePages: {
      before: freeHugePages([before]),
      after: freeHugePages([after]),
      kernel: other === null || other.side !== "after" ? null : freeHugePages(other.freeBlocks),
    },
    stayed: countStayed(machine),
    vmstat,
  };
  return { report, options, machine, zones, kindsAfter: kindsOfMachine(machine, snapshot) };
}

/**
 * For a block of an order a zone is compacted as by a process that waits for one: from where the
 * scanners were left, past blocks with a skip bit, by way of the fast search, until one is free.
 * Only in mode "sync", in which no process compacts, it is searched whole, as by compact_memory;
 * and so it is for order -1, in each mode.
 */
export function compactRequest(mode: CompactRequest["mode"], order: number): CompactRequest {
  if (order < 1 || mode === "sync") return { ...COMPACT_MEMORY, mode, order };
  return directRequest(gfpRequest(GFP_HIGHUSER_MOVABLE, order, 0), ALLOC.cma, mode);
}

/** Zones that `zone` names; all zones without it. */
function zonesWanted(machine: Machine, zone: CompactOptions["zone"]): readonly Zone[] {
  if (zone === null) return machine.mem.zones;
  return machine.mem.zones.filter(({ node, type }) => node === zone.node && type === zone.type);
}

function* compactWanted(machine: Machine, options: CompactOptions): Blocking<ZoneCompaction[]> {
  const { vm, sysctl } = machine;
  const { mode, order, zone } = options;
  const isCompactMemory = mode === COMPACT_MEMORY.mode && order === COMPACT_MEMORY.order;
  if (isCompactMemory && zone === null) return yield* compactMemory(vm, sysctl);
  const request = compactRequest(mode, order);
  const done: ZoneCompaction[] = [];
  for (const wanted of zonesWanted(machine, zone)) {
    done.push(yield* compactZone(vm, wanted, request, sysctl));
  }
  return done;
}
