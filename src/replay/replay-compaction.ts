/**
 * Runs a recorded compaction on our engine and compares event by event, frame by frame.
 *
 * The recorded machine is built with its true reference counts, orders and pageblock types, the
 * sysctls of the setup are applied, and what started the compaction is done again, with real bytes
 * in every page. For `compact_memory` equal means: each scanner reported the same ranges and took
 * as many pages, in the same order, and every page of the owner ended in the same frame. For huge
 * pages `judge-huge.ts` says what it means.
 */
import { compactMemory } from "../callers/compaction/compact-zone.ts";
import type { CompactSysctl } from "../callers/compaction/control.ts";
import { COMPACT_SYSCTL_DEFAULTS } from "../callers/compaction/control.ts";
import type { TraceSink } from "../events/events.ts";
import { fillContents, verifyContents } from "../machine/contents.ts";
import { checkInvariants } from "../machine/invariants.ts";
import type { Machine } from "../machine/machine.ts";
import { runToEnd } from "../sched/run.ts";
import { machineFromSnapshot } from "../snapshot/machine-from-snapshot.ts";
import { NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import { type CompactionRecord, OWNER } from "./compaction-record.ts";
import { freedOrder } from "./freed-order.ts";
import { hugeTriggerOf, obtainHugePages } from "./huge-triggers.ts";
import { compareHuge, whyHugeDiffers } from "./judge-huge.ts";
import { type IsolateEvent, isolateEvents, type KernelEvent } from "./kernel-trace.ts";
import type { RecordResult } from "./result.ts";

/** The only trigger that is a compaction of every zone, whole. */
const COMPACT_MEMORY_TRIGGER = "echo 1 > /proc/sys/vm/compact_memory";

/** Events whose nr_scanned may differ, and by how much: buddies of frames freed during the run. */
const SCANNED_SLACK = 4;

const SEED = 1;

/** A record that was run, with what other programs may want to compare. */
export interface CompactionReplay {
  readonly result: RecordResult;
  readonly trace: readonly KernelEvent[];
  /** By page of the owner: its frame afterwards, 0 where none is. */
  readonly owner: Int32Array;
}

interface Got {
  readonly ranges: { readonly equal: number; readonly total: number };
  readonly frames: { readonly same: number; readonly different: number };
  readonly nrScanned: { readonly equal: number; readonly total: number };
  readonly vmstat_delta: Readonly<Record<string, number>>;
}

/** Why a record cannot be run, or null. */
export function whyNot({ trigger }: CompactionRecord): string | null {
  if (trigger === COMPACT_MEMORY_TRIGGER || hugeTriggerOf(trigger) !== null) return null;
  return `no caller for this trigger: ${trigger}`;
}

export function cannotReplay(record: CompactionRecord, area: string, why: string): RecordResult {
  return { id: record.id, area, result: "cannot", expected: expectedOf(record), got: null, why };
}

export function replayCompaction(record: CompactionRecord, area: string): CompactionReplay {
  const machine = recordedMachine(record);
  const filled = fillContents(machine, SEED);
  const before = machine.mem.events.vmstat.snapshot();
  const trace = new EventList();
  machine.mem.events.trace = trace;
  const trigger = hugeTriggerOf(record.trigger);
  let obtained = 0;
  if (trigger === null) runToEnd(compactMemory(machine.vm, machine.sysctl));
  else obtained = obtainHugePages(machine, trigger);
  machine.mem.events.trace = null;
  const { mismatched } = verifyContents(machine, SEED, filled);
  checkInvariants(machine);
  const owner = ownerFrames(machine);
  const { events } = trace;
  const delta = deltaOf(machine, before);
  const got = compare(record, events, owner, delta);
  const huge = compareHuge(obtained, events, record.trace ?? []);
  let why =
    trigger === null
      ? whyDiffers(record, events, got)
      : whyHugeDiffers(trigger, huge, record.hugePagesObtained, delta, record.vmstatDelta);
  if (mismatched > 0) why = `${mismatched} pages with wrong contents`;
  const isKnown = record.trace !== null || record.ownerAfter !== null;
  const result = why !== "" ? "differ" : isKnown ? "agree" : "unknown";
  return {
    result: {
      id: record.id,
      area,
      result,
      expected: expectedOf(record),
      got: trigger === null ? got : { ...huge, ...got },
      why,
    },
    trace: events.filter(({ name }) => isTraced(record, name)),
    owner,
  };
}

function recordedMachine(record: CompactionRecord): Machine {
  const { snapshot, refcounts, pageblockFlags } = record.before;
  const [owner] = snapshot.pagemaps;
  const machine = machineFromSnapshot(snapshot, {
    contents: "bytes",
    refcounts,
    pageblockFlags,
    ...(owner !== undefined && { freedLast: freedOrder(snapshot, owner.pfns) }),
  });
  machine.sysctl = { ...machine.sysctl, ...applySysctls(record.sysctls) };
  return machine;
}

/** Entries of page tables were traced in some records only; where not, ours are left out too. */
function isTraced(record: CompactionRecord, name: string): boolean {
  return (
    !name.endsWith("_migration_pte") ||
    (record.trace?.some((event) => event.name === name) ?? false)
  );
}

class EventList implements TraceSink {
  readonly events: KernelEvent[] = [];

  event(name: string, text: string): void {
    this.events.push({ name, text });
  }
}

function applySysctls(sysctls: ReadonlyMap<string, number>): CompactSysctl {
  const known = Object.keys(COMPACT_SYSCTL_DEFAULTS);
  const set = [...sysctls].filter(([name]) => known.includes(name));
  return { ...COMPACT_SYSCTL_DEFAULTS, ...Object.fromEntries(set) };
}

function compare(
  record: CompactionRecord,
  events: readonly KernelEvent[],
  owner: Int32Array,
  vmstatDelta: Record<string, number>,
): Got {
  const ours = isolateEvents(events);
  const theirs = isolateEvents(record.trace ?? []);
  const pairs = theirs.map((event, at) => [event, ours[at]] as const);
  const sameRange = pairs.filter(([a, b]) => isSameRange(a, b));
  const sameScanned = sameRange.filter(([a, b]) => a.scanned === b?.scanned);
  const before = record.before.snapshot.pagemaps[0]?.pfns ?? new Int32Array();
  let same = 0;
  let different = 0;
  for (let page = 0; record.ownerAfter !== null && page < before.length; page++) {
    if (before[page] === 0) continue;
    if (owner[page] === record.ownerAfter[page]) same++;
    else different++;
  }
  return {
    ranges: { equal: sameRange.length, total: theirs.length },
    frames: { same, different },
    nrScanned: { equal: sameScanned.length, total: theirs.length },
    vmstat_delta: vmstatDelta,
  };
}

/** "" if nothing differs that may not. */
function whyDiffers(record: CompactionRecord, events: readonly KernelEvent[], got: Got): string {
  const { ranges, frames } = got;
  if (record.trace !== null) {
    const ours = isolateEvents(events);
    const theirs = isolateEvents(record.trace);
    if (ranges.equal < ranges.total) return firstDifference(theirs, ours);
    if (ours.length > theirs.length) {
      return `${ours.length - theirs.length} events more than the kernel's ${theirs.length}`;
    }
    const slips = theirs.filter(
      (event, at) => Math.abs(event.scanned - ours[at].scanned) > SCANNED_SLACK,
    );
    if (slips.length > 0) return `${slips.length} events with nr_scanned off by more than 4`;
  }
  return frames.different > 0 ? `${frames.different} pages of the owner in other frames` : "";
}

function firstDifference(theirs: readonly IsolateEvent[], ours: readonly IsolateEvent[]): string {
  const at = theirs.findIndex((event, index) => !isSameRange(event, ours[index]));
  return `event ${at}: the kernel's ${eventText(theirs[at])}, ours ${eventText(ours[at])}`;
}

function isSameRange(a: IsolateEvent, b: IsolateEvent | undefined): boolean {
  return b !== undefined && a.scanner === b.scanner && a.range === b.range && a.taken === b.taken;
}

function eventText(event: IsolateEvent | undefined): string {
  return event === undefined ? "missing" : `${event.scanner} ${event.range} took ${event.taken}`;
}

function ownerFrames({ vm }: Machine): Int32Array {
  const vma = vm.mms.find((mm) => mm?.name === OWNER)?.vmas[0];
  if (vma === undefined) return new Int32Array();
  return Int32Array.from({ length: vma.endVpn - vma.startVpn }, (_, at) => {
    const entry = vma.mm.directory.find(vma.startVpn + at);
    const isPresent = entry !== NO_ENTRY && (vm.tables.bits(entry) & PTE.present) !== 0;
    return isPresent ? vm.tables.pfn(entry) : 0;
  });
}

/** What changed, without what the kernel prints under other names or not at all. */
function deltaOf(machine: Machine, before: Record<string, number>): Record<string, number> {
  const after = Object.entries(machine.mem.events.vmstat.snapshot());
  const isJudged = /^(pgmigrate|thp_|compact_|unevictable_)/;
  return Object.fromEntries(
    after
      .filter(([name, count]) => isJudged.test(name) && count !== before[name])
      .map(([name, count]) => [name, count - before[name]]),
  );
}

function expectedOf(record: CompactionRecord): unknown {
  const { hugePagesObtained } = record;
  return {
    ...(hugePagesObtained !== null && { obtained: hugePagesObtained }),
    events: record.trace === null ? null : isolateEvents(record.trace).length,
    vmstat_delta: record.vmstatDelta,
  };
}
