/**
 * A small machine and its compaction, for the tests of the report: everything a report tells of
 * occurs in it, and what depends on the clock is fixed.
 */
import { COMPACT_SYSCTL_DEFAULTS } from "../callers/compaction/control.ts";
import { MIGRATE, PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { type CompactRun, compactSnapshot } from "../snapshot/compact-snapshot.ts";
import { readSnapshotPair } from "../snapshot/read-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { ENTRY, entriesOf, filesOf } from "../snapshot/synthetic.ts";

const BLOCKS = 32;
/** Block 0 lies below the zone. */
const START_PFN = PAGEBLOCK_NR_PAGES;

interface Content {
  /** Pageblocks: the first, and one past the last. */
  readonly from: number;
  readonly to: number;
  readonly entry: number;
  /** The last page of so many; the others are free. */
  readonly step: number;
}

const CONTENT: readonly Content[] = [
  { from: 1, to: 3, entry: ENTRY.slab, step: 100 },
  { from: 3, to: 9, entry: ENTRY.anonymous, step: 4 },
  { from: 9, to: 12, entry: ENTRY.file, step: 16 },
  { from: 13, to: 14, entry: ENTRY.hole, step: 1 },
  { from: 28, to: 30, entry: ENTRY.shmem, step: 2 },
];
const PAGE_TABLE = 9 * PAGEBLOCK_NR_PAGES;
const HUGE = 12 * PAGEBLOCK_NR_PAGES;

/** The kernel's own compaction of it, made up. */
const KERNEL_HUGE_PAGES = 19;

export interface SmallRun {
  readonly snapshot: Snapshot;
  readonly run: CompactRun;
}

/** Compacted with the contents that are wanted; `name` is the snapshot's. */
export async function smallRun(contents: "bytes" | "tokens", name = "small"): Promise<SmallRun> {
  const entries = smallEntries();
  const types = new Uint8Array(BLOCKS).fill(MIGRATE.movable);
  types.fill(MIGRATE.unmovable, 1, 3);
  const files = filesOf({ entries, startPfn: START_PFN, types }, "every page");
  files.set("kpagecount.u64", mapCounts(entries));
  const { snapshot } = await readSnapshotPair(entriesOf(files, ""), { name });
  const run = compactSnapshot(snapshot, null, {
    contents,
    seed: 1,
    release: "6.1",
    mode: "sync",
    order: -1,
    sysctl: COMPACT_SYSCTL_DEFAULTS,
    zone: null,
    pins: null,
  });
  const seconds = 0.25;
  const nanosecondsPerPage = (seconds * 1e9) / run.report.moved;
  const hugePages = { ...run.report.hugePages, kernel: KERNEL_HUGE_PAGES };
  const report = { ...run.report, seconds, nanosecondsPerPage, hugePages };
  return { snapshot: { ...snapshot, kernel: "Linux 6.18.44 x86_64" }, run: { ...run, report } };
}

function smallEntries(): Uint32Array {
  const entries = new Uint32Array(BLOCKS * PAGEBLOCK_NR_PAGES).fill(ENTRY.free);
  entries.fill(ENTRY.unknown, 0, START_PFN);
  for (const { from, to, entry, step } of CONTENT) {
    const end = to * PAGEBLOCK_NR_PAGES;
    const first = from * PAGEBLOCK_NR_PAGES + step - 1;
    for (let pfn = first; pfn < end; pfn += step) entries[pfn] = entry;
  }
  entries[PAGE_TABLE] = ENTRY.pageTable;
  entries.fill(ENTRY.anonymousTail, HUGE, HUGE + PAGEBLOCK_NR_PAGES);
  entries[HUGE] = ENTRY.anonymousHead;
  return entries;
}

const MAPPED: readonly number[] = [ENTRY.anonymous, ENTRY.anonymousHead, ENTRY.anonymousTail];

/** kpagecount: what is anonymous is mapped once. */
function mapCounts(entries: Uint32Array): Uint8Array {
  const words = new Uint32Array(2 * entries.length);
  for (const [pfn, entry] of entries.entries()) if (MAPPED.includes(entry)) words[2 * pfn] = 1;
  return new Uint8Array(words.buffer);
}
