/**
 * How well our compaction predicts the kernel's, on pairs of snapshots of real machines.
 *
 * Compared are gains: how many more free 2 MiB blocks there are afterwards, ours and the kernel's,
 * both by our own reading of the free blocks. The machine was not idle between its two snapshots,
 * so the bound is a tenth of the kernel's gain, at least 64, and what the change of free frames
 * could make. A pair in which the kernel did not finish the zone, or is not known to have,
 * says nothing about a whole pass and is not judged.
 */
import type { Release } from "../base/profile.ts";
import { COMPACT_MEMORY, COMPACT_SYSCTL_DEFAULTS } from "../callers/compaction/control.ts";
import { compactSnapshot } from "../snapshot/compact-snapshot.ts";
import { freePages, type Snapshot, type SnapshotSummary } from "../snapshot/snapshot.ts";

/** Free 2 MiB blocks, unless said otherwise. */
export interface PairAccuracy {
  readonly name: string;
  /** The release of Linux that was acted as. */
  readonly kernel: Release;
  /** Whether the kernel's scanners met; null if nobody knows. */
  readonly scannersMet: boolean | null;
  readonly before: number;
  readonly after: number;
  readonly kernelBefore: number;
  readonly kernelAfter: number;
  readonly gain: number;
  readonly kernelGain: number;
  /** Free frames of the second snapshot less those of the first. */
  readonly freeChange: number;
  /** Most that the gains may differ by. */
  readonly bound: number;
  /** Whether they do; null where they cannot be compared. */
  readonly within: boolean | null;
  /** Base pages that we moved. */
  readonly moved: number;
  /** Frames known to be pinned. */
  readonly pins: number;
  /** Why the pair is not judged, or "". */
  readonly why: string;
}

export interface PairInput {
  readonly name: string;
  readonly snapshot: Snapshot;
  readonly other: SnapshotSummary;
  readonly scannersMet: boolean | null;
  readonly release: Release;
}

const SLACK_BLOCKS = 64;
const SLACK_SHARE = 0.1;
const SEED = 1;

export function comparePair({
  name,
  snapshot,
  other,
  scannersMet,
  release,
}: PairInput): PairAccuracy {
  const { report } = compactSnapshot(snapshot, other, {
    contents: "tokens",
    release,
    seed: SEED,
    mode: COMPACT_MEMORY.mode,
    order: COMPACT_MEMORY.order,
    sysctl: COMPACT_SYSCTL_DEFAULTS,
    zone: null,
    pins: snapshot.pins,
  });
  const { before, after, kernel } = report.hugePages;
  const kernelAfter = kernel ?? before;
  const gain = after - before;
  const kernelGain = kernelAfter - before;
  const freeChange = framesFree(other.freeBlocks) - framesFree(snapshot.freeBlocks);
  const bound =
    Math.max(SLACK_BLOCKS, SLACK_SHARE * Math.abs(kernelGain)) + Math.abs(freeChange) / 512;
  return {
    name,
    kernel: release,
    scannersMet,
    before,
    after,
    kernelBefore: before,
    kernelAfter,
    gain,
    kernelGain,
    freeChange,
    bound,
    within: scannersMet === true ? Math.abs(gain - kernelGain) <= bound : null,
    moved: report.moved,
    pins: snapshot.pins?.length ?? 0,
    why: whyNotJudged(scannersMet),
  };
}

function whyNotJudged(scannersMet: boolean | null): string {
  if (scannersMet === true) return "";
  return scannersMet === false
    ? "the kernel gave the zone up before its scanners met: a whole pass would have gained more"
    : "not known whether the kernel's scanners met: its gain may be that of half a pass";
}

function framesFree(freeBlocks: Snapshot["freeBlocks"]): number {
  return freeBlocks.reduce((sum, zone) => sum + freePages(zone), 0);
}
