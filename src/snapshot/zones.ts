/**
 * From zoneinfo to zones: those that have memory, with a default for each number that is missing,
 * and which zone each frame belongs to.
 *
 * Zones are kept in the order of their first frame. Spans of nodes may overlap (interleaved
 * memory); /proc does not tell whose a frame is there, and the zone that starts last gets it.
 */
import { InputError } from "../base/input-error.ts";
import { ZONE_TYPES, type ZoneType } from "../memory/constants.ts";
import type { ZoneinfoZone } from "./parse/zoneinfo.ts";
import type { Finding, SnapshotZone } from "./snapshot.ts";

/** Frames from `start` up to `end` that belong to zone number `zone`. */
export interface ZoneSegment {
  readonly zone: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The zones that have memory. Throws `InputError` if a zone cannot be placed among `pageCount`
 * frames; what had to be assumed is added to `findings`.
 */
export function zonesFromZoneinfo(
  place: string,
  parsed: readonly ZoneinfoZone[],
  pageCount: number,
  findings: Finding[],
): SnapshotZone[] {
  const assumed = new Set<string>();
  const zones: SnapshotZone[] = [];
  for (const zone of parsed) {
    if ((zone.spanned ?? 0) === 0) continue;
    const names = parsed.filter(({ node }) => node === zone.node).map(({ name }) => name);
    zones.push(placedZone(place, zone, names, pageCount, assumed));
  }
  if (zones.length === 0) throw new InputError(place, "no zone that spans memory", "one at least");
  if (assumed.size > 0) {
    const list = [...assumed].join(", ");
    findings.push({
      topic: "zones",
      text: `zoneinfo lacks ${list}: taken as a kernel without them would behave`,
      certainty: "missing",
    });
  }
  return zones.sort((a, b) => a.startPfn - b.startPfn);
}

function placedZone(
  place: string,
  zone: ZoneinfoZone,
  namesOfNode: readonly string[],
  pageCount: number,
  assumed: Set<string>,
): SnapshotZone {
  const at = `${place}:${zone.line}`;
  const name = `zone ${zone.name} of node ${zone.node}`;
  const type = ZONE_TYPES.find((known) => known === zone.name);
  if (!type) throw new InputError(at, name, `a zone of ${ZONE_TYPES.join(", ")}`);
  const { startPfn, spanned } = zone;
  if (startPfn === null || spanned === null) {
    throw new InputError(at, `${name} without start_pfn`, "start_pfn and spanned");
  }
  if (startPfn + spanned > pageCount) {
    const found = `${name} from frame ${startPfn} to ${startPfn + spanned}`;
    throw new InputError(at, found, `an end within the ${pageCount} frames of kpageflags`);
  }
  const or = (value: number | null, label: string, fallback: number): number => {
    if (value === null) assumed.add(label);
    return value ?? fallback;
  };
  const present = or(zone.present, "present", spanned);
  const min = or(zone.min, "min", 0);
  const low = or(zone.low, "low", min);
  if (zone.pagesets.length === 0) assumed.add("pagesets");
  return {
    node: zone.node,
    type,
    startPfn,
    spanned,
    present,
    managed: or(zone.managed, "managed", present),
    watermarkMin: min,
    watermarkLow: low,
    watermarkHigh: or(zone.high, "high", low),
    watermarkBoost: or(zone.boost, "boost", 0),
    lowmemReserve: reserveByType(zone.protection, namesOfNode, assumed),
    free: or(zone.free, "pages free", 0),
    pcp: zone.pagesets.map(({ count, high, batch }) => ({ count, high, batch })),
  };
}

/** The kernel lists the reserve by the zones that it was built with; here it is by ZONE_TYPES. */
function reserveByType(
  protection: readonly number[] | null,
  namesOfNode: readonly string[],
  assumed: Set<string>,
): number[] {
  if (protection === null) assumed.add("protection");
  const byType = ZONE_TYPES.map((type: ZoneType) => namesOfNode.indexOf(type));
  return byType.map((index) => (index < 0 ? 0 : (protection?.[index] ?? 0)));
}

/** The frames of all zones, ascending and without overlap. */
export function zoneSegments(zones: readonly SnapshotZone[]): ZoneSegment[] {
  const edges = new Set<number>();
  for (const zone of zones) edges.add(zone.startPfn).add(zone.startPfn + zone.spanned);
  const sorted = [...edges].sort((a, b) => a - b);
  const segments: ZoneSegment[] = [];
  for (const [index, start] of sorted.entries()) {
    const end = sorted[index + 1] ?? start;
    const zone = zones.findLastIndex(
      (candidate) => candidate.startPfn <= start && end <= candidate.startPfn + candidate.spanned,
    );
    if (zone < 0 || end === start) continue;
    const last = segments.at(-1);
    if (last?.zone === zone && last.end === start) segments[segments.length - 1] = { ...last, end };
    else segments.push({ zone, start, end });
  }
  return segments;
}

/** Says where spans overlap, since the pages there may be given to the wrong zone. */
export function tellOverlap(zones: readonly SnapshotZone[], findings: Finding[]): void {
  const spanned = zones.reduce((sum, zone) => sum + zone.spanned, 0);
  const covered = zoneSegments(zones).reduce((sum, { start, end }) => sum + end - start, 0);
  if (covered === spanned) return;
  findings.push({
    topic: "zones",
    text: `the spans of zones overlap in ${spanned - covered} frames; each was given to the zone that starts last`,
    certainty: "guess",
  });
}
