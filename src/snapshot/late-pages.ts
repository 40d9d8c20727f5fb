/**
 * Memory that the kernel has not set up yet: present, but not in its allocator's hands.
 *
 * A kernel may give memory to its allocator bit by bit, long after boot (deferred struct pages,
 * memory that a guest has not accepted). Until then its pages show no flag, as the kernel's own do.
 * What a zone has present, neither managed nor reserved, is looked for among its long runs of such
 * pages, longest first. Needs holes marked. Linux: `deferred_grow_zone()`, unaccepted memory.
 */
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { unknownRuns } from "./holes.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { Finding, SnapshotZone } from "./snapshot.ts";
import type { ZoneSegment } from "./zones.ts";

/** 64 MiB: what the kernel takes at boot and frees later is less, and is no run. */
const LEAST_PAGES = 16384;

export function markLate(
  columns: FlagColumns,
  zones: readonly SnapshotZone[],
  segments: readonly ZoneSegment[],
  findings: Finding[],
): void {
  for (const [number, zone] of zones.entries()) {
    const own = segments.filter((segment) => segment.zone === number);
    const reserved = own.reduce((sum, part) => sum + reservedIn(columns.kind, part), 0);
    let missing = zone.present - zone.managed - reserved;
    if (missing < LEAST_PAGES) continue;
    const runs = own.flatMap((part) => unknownRuns(columns.kind, part));
    runs.sort((a, b) => b.length - a.length);
    let marked = 0;
    for (const { start, length } of runs) {
      if (length > missing) continue;
      columns.kind.fill(PAGE_KIND.late, start, start + length);
      columns.flags.fill(PG.reserved, start, start + length);
      missing -= length;
      marked += length;
    }
    if (marked === 0) continue;
    findings.push({
      topic: "memory not set up yet",
      text: `${marked.toLocaleString("en")} pages of zone ${zone.type} of node ${zone.node} are present but not managed: taken as not yet in the allocator's hands, where no flag is set`,
      certainty: "likely",
    });
  }
}

function reservedIn(kind: Uint8Array, { start, end }: ZoneSegment): number {
  let count = 0;
  for (let pfn = start; pfn < end; pfn++) if (kind[pfn] === PAGE_KIND.reserved) count++;
  return count;
}
