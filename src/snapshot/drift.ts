/**
 * How far what was read can be trusted as one moment: the scan takes seconds, the machine runs on.
 */
import type { SnapshotJson } from "./parse/json.ts";
import { type Finding, type FreeBlocks, freePages, type SnapshotZone } from "./snapshot.ts";

export function tellScan(json: SnapshotJson | null, findings: Finding[]): void {
  if (json?.scanSeconds == null) return;
  findings.push({
    topic: "scan",
    text: `the scan took ${json.scanSeconds.toFixed(1)} s and is not one moment: neighbouring pages may be from different times`,
    certainty: "likely",
  });
}

/** Compares the blocks found with buddyinfo before the scan, and that with buddyinfo after it. */
export function tellDrift(
  zones: readonly SnapshotZone[],
  found: readonly FreeBlocks[],
  buddyinfo: readonly FreeBlocks[] | null,
  buddyinfoEnd: readonly FreeBlocks[] | null,
  findings: Finding[],
): void {
  if (!buddyinfo) return;
  for (const [index, zone] of zones.entries()) {
    const differing = blocksApart(found[index], buddyinfo[index]);
    const name = `zone ${zone.type} of node ${zone.node}`;
    if (differing === 0) {
      findings.push({
        topic: "free blocks",
        text: `${name}: the blocks found are buddyinfo's, order by order`,
        certainty: "exact",
      });
      continue;
    }
    const pages = freePages(found[index]) - freePages(buddyinfo[index]);
    const drift = buddyinfoEnd ? blocksApart(buddyinfoEnd[index], buddyinfo[index]) : null;
    const bound =
      drift === null ? "" : `; buddyinfo itself changed by ${drift} blocks during the scan`;
    findings.push({
      topic: "free blocks",
      text: `${name}: ${differing} blocks more or less than buddyinfo (${signed(pages)} pages)${bound}`,
      certainty: "likely",
    });
  }
}

/** Sum over orders of the difference in number. */
function blocksApart(a: FreeBlocks, b: FreeBlocks): number {
  return a.reduce((sum, count, order) => sum + Math.abs(count - b[order]), 0);
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}
