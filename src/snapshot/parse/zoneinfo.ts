/**
 * /proc/zoneinfo: the zones of each node with their watermarks and per-CPU lists.
 *
 * Reads the forms of 2.6 to 6.18: unknown counters are passed over, numbers that older releases
 * lack (`boost`, `managed`) come back null, and zones without memory are kept, since their order is
 * what `protection` counts by. Linux: mm/vmstat.c, `zoneinfo_show_print()`.
 */
import { InputError } from "../../base/input-error.ts";
import { refuseLine, toCount, toCounts } from "./lines.ts";

/** One processor's list of free pages in one zone, in pages. */
export interface ZoneinfoPageset {
  cpu: number;
  count: number;
  high: number;
  batch: number;
}

/** One zone as printed; page counts throughout, null where the line is missing. */
export interface ZoneinfoZone {
  readonly node: number;
  readonly name: string;
  /** Line on which the zone starts, from 1. */
  readonly line: number;
  free: number | null;
  boost: number | null;
  min: number | null;
  low: number | null;
  high: number | null;
  spanned: number | null;
  present: number | null;
  managed: number | null;
  /** By the highest zone that a request may use, in the order of this node's zones. */
  protection: number[] | null;
  startPfn: number | null;
  readonly pagesets: ZoneinfoPageset[];
}

type PlainField = "boost" | "min" | "low" | "high" | "spanned" | "present" | "managed";

const PLAIN_FIELDS: ReadonlySet<string> = new Set<PlainField>([
  "boost",
  "min",
  "low",
  "high",
  "spanned",
  "present",
  "managed",
]);

const EXPECTED_COUNT = "a number of pages";

/** The zones in the order of the file. Throws `InputError` with the line. */
export function parseZoneinfo(place: string, text: string): ZoneinfoZone[] {
  const zones: ZoneinfoZone[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const head = /^Node\s+(\d+),\s+zone\s+(\S+)\s*$/.exec(line);
    if (head) zones.push(emptyZone(Number(head[1]), head[2], index + 1));
    else if (zones.length > 0) readField(zones[zones.length - 1], place, index, line);
    else if (line.trim() !== "") refuseLine(place, index, line, '"Node N, zone NAME"');
  }
  if (zones.length === 0) {
    throw new InputError(place, "no zone", 'lines such as "Node 0, zone Normal"');
  }
  return zones;
}

function emptyZone(node: number, name: string, line: number): ZoneinfoZone {
  return {
    node,
    name,
    line,
    free: null,
    boost: null,
    min: null,
    low: null,
    high: null,
    spanned: null,
    present: null,
    managed: null,
    protection: null,
    startPfn: null,
    pagesets: [],
  };
}

function readField(zone: ZoneinfoZone, place: string, index: number, line: string): void {
  const plain = /^\s*(pages free|\w+)\s+(\S+)\s*$/.exec(line);
  if (plain) readPlain(zone, place, index, plain[1], plain[2], line);
  const colon = /^\s*(\w+):\s*(.*)$/.exec(line);
  if (colon) readColon(zone, place, index, colon[1], colon[2].trim(), line);
}

/** `min 10`, `pages free 3840`: counters of the zone. */
function readPlain(
  zone: ZoneinfoZone,
  place: string,
  index: number,
  key: string,
  value: string,
  line: string,
): void {
  if (key !== "pages free" && key !== "nr_free_pages" && !PLAIN_FIELDS.has(key)) return;
  const count = toCount(value);
  if (count < 0) refuseLine(place, index, line, EXPECTED_COUNT);
  if (PLAIN_FIELDS.has(key)) zone[key as PlainField] = count;
  else zone.free = count;
}

/** `start_pfn: 1`, `protection: (0, 1)`, and the pagesets: `cpu: 0`, `count: 0`. */
function readColon(
  zone: ZoneinfoZone,
  place: string,
  index: number,
  key: string,
  value: string,
  line: string,
): void {
  if (key === "protection") {
    const list = toCounts(value.replace(/[(),]/g, " "));
    zone.protection = list ?? refuseLine(place, index, line, "(COUNT, COUNT, ...)");
    return;
  }
  if (key === "start_pfn") zone.startPfn = colonCount(place, index, value, line);
  if (key === "cpu") {
    const cpu = colonCount(place, index, value, line);
    zone.pagesets.push({ cpu, count: 0, high: 0, batch: 0 });
  }
  if (key !== "count" && key !== "high" && key !== "batch") return;
  const pageset = zone.pagesets.at(-1);
  if (!pageset) refuseLine(place, index, line, `"cpu: N" above "${key}:"`);
  pageset[key] = colonCount(place, index, value, line);
}

function colonCount(place: string, index: number, value: string, line: string): number {
  const count = toCount(value);
  return count < 0 ? refuseLine(place, index, line, EXPECTED_COUNT) : count;
}
