/**
 * Frames with no memory behind them, which look like the kernel's own pages in kpageflags.
 *
 * Told, in this order, by: no zone spans the frame; kpageflags says NOPAGE; iomem does not call it
 * RAM. Without iomem, what is missing between a zone's `spanned` and `present` is looked for among
 * its long runs of pages without any flag, longest first. Must run before compounds and blocks.
 */
import { MAX_ORDER } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { Iomem } from "./parse/iomem.ts";
import type { Finding, SnapshotZone } from "./snapshot.ts";
import type { ZoneSegment } from "./zones.ts";

/** A run of pages, by its first frame. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

/** Marks holes in `columns` and says how they were told. */
export function markHoles(
  columns: FlagColumns,
  zones: readonly SnapshotZone[],
  segments: readonly ZoneSegment[],
  iomem: Iomem | null,
  findings: Finding[],
): void {
  markOutsideZones(columns, segments);
  if (iomem) markOutsideRam(columns, iomem);
  else markLongestRuns(columns, zones, segments, findings);
  const present = zones.reduce((sum, zone) => sum + zone.present, 0);
  const kept = segments.reduce((sum, segment) => sum + presentIn(columns, segment), 0);
  if (kept === present) return;
  findings.push({
    topic: "holes",
    text: `${kept} frames are taken as memory, zoneinfo says ${present}`,
    certainty: "likely",
  });
}

function markOutsideZones(columns: FlagColumns, segments: readonly ZoneSegment[]): void {
  let end = 0;
  for (const segment of segments) {
    markHole(columns, end, segment.start);
    end = segment.end;
  }
  markHole(columns, end, columns.kind.length);
}

function markOutsideRam(columns: FlagColumns, iomem: Iomem): void {
  let end = 0;
  for (const range of iomem.ram) {
    markHole(columns, end, range.start);
    end = Math.max(end, range.end);
  }
  markHole(columns, end, columns.kind.length);
}

/**
 * Only a page with nothing in it can be a hole: one that iomem denies but that is in use belongs
 * to memory that a driver brought (and named otherwise than RAM).
 */
function markHole(columns: FlagColumns, start: number, end: number): void {
  const { flags, kind } = columns;
  for (let pfn = start; pfn < Math.min(end, kind.length); pfn++) {
    if (kind[pfn] !== PAGE_KIND.unknown && kind[pfn] !== PAGE_KIND.reserved) continue;
    kind[pfn] = PAGE_KIND.hole;
    flags[pfn] = PG.hole;
  }
}

function markLongestRuns(
  columns: FlagColumns,
  zones: readonly SnapshotZone[],
  segments: readonly ZoneSegment[],
  findings: Finding[],
): void {
  for (const [number, zone] of zones.entries()) {
    const own = segments.filter((segment) => segment.zone === number);
    let missing = own.reduce((sum, part) => sum + presentIn(columns, part), 0) - zone.present;
    if (missing <= 0) continue;
    const runs = own.flatMap((part) => unknownRuns(columns.kind, part));
    runs.sort((a, b) => b.length - a.length);
    let marked = 0;
    for (const run of runs) {
      if (run.length > missing) continue;
      markHole(columns, run.start, run.start + run.length);
      missing -= run.length;
      marked += run.length;
      if (missing === 0) break;
    }
    if (marked === 0) continue;
    findings.push({
      topic: "holes",
      text: `without iomem, ${marked} frames of zone ${zone.type} of node ${zone.node} were taken for holes: the longest runs without any flag`,
      certainty: "guess",
    });
  }
}

/** Runs longer than any free block, whose later pages may have no flag: see free-heads.ts. */
export function unknownRuns(kind: Uint8Array, segment: ZoneSegment): Run[] {
  const runs: Run[] = [];
  let start = segment.start;
  for (let pfn = segment.start; pfn <= segment.end; pfn++) {
    if (pfn < segment.end && kind[pfn] === PAGE_KIND.unknown) continue;
    if (pfn - start >= 2 ** MAX_ORDER) runs.push({ start, length: pfn - start });
    start = pfn + 1;
  }
  return runs;
}

function presentIn(columns: FlagColumns, segment: ZoneSegment): number {
  let count = 0;
  for (let pfn = segment.start; pfn < segment.end; pfn++) {
    if (columns.kind[pfn] !== PAGE_KIND.hole) count++;
  }
  return count;
}
