/**
 * /proc/pagetypeinfo: free blocks by migratetype and order, and pageblocks by migratetype.
 *
 * The kernel prints both tables once for each node. It stops counting a list at 100,000 blocks and
 * prints `>100000`. Linux: mm/vmstat.c, `pagetypeinfo_show()`.
 */
import { InputError } from "../../base/input-error.ts";
import { MAX_ORDER, MIGRATETYPE_NAMES } from "../../memory/constants.ts";
import { refuseLine, toCount, toCounts } from "./lines.ts";

/** What one zone's rows say. Both tables are by number of `MIGRATE`. */
export interface PagetypeinfoZone {
  readonly node: number;
  readonly name: string;
  /** Free blocks by migratetype, then order; null for a type that this kernel does not have. */
  readonly free: (number[] | null)[];
  /** True where a list was too long to be counted to its end. */
  cut: boolean;
  /** Pageblocks by migratetype; null until its table was read. */
  blocks: number[] | null;
}

export interface Pagetypeinfo {
  /** Null where the file does not say. */
  pageblockOrder: number | null;
  readonly zones: readonly PagetypeinfoZone[];
}

/** Throws `InputError` with the line. */
export function parsePagetypeinfo(place: string, text: string): Pagetypeinfo {
  const zones = new Map<string, PagetypeinfoZone>();
  let pageblockOrder: number | null = null;
  let blockTypes: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const order = /^Page block order:\s*(\S+)/.exec(line);
    if (order) {
      pageblockOrder = toCount(order[1]);
      if (pageblockOrder < 0) refuseLine(place, index, line, "an order");
    }
    const header = /^Number of blocks type\s+(.*)$/.exec(line);
    if (header) blockTypes = header[1].trim().split(/\s+/).map(migratetypeNumber);
    const row = /^Node\s+(\d+),\s+zone\s+([^\s,]+)(?:,\s+type\s+(\S+))?\s+(.*)$/.exec(line);
    if (!row) continue;
    const zone = zoneOf(zones, Number(row[1]), row[2]);
    if (row[3] !== undefined) readFreeRow(zone, place, index, row[3], row[4], line);
    else readBlocksRow(zone, place, index, blockTypes, row[4], line);
  }
  if (zones.size === 0) {
    throw new InputError(place, "no zone", 'lines such as "Node 0, zone Normal, type Movable"');
  }
  return { pageblockOrder, zones: [...zones.values()] };
}

function zoneOf(
  zones: Map<string, PagetypeinfoZone>,
  node: number,
  name: string,
): PagetypeinfoZone {
  const key = `${node} ${name}`;
  let zone = zones.get(key);
  if (!zone) {
    zone = { node, name, free: MIGRATETYPE_NAMES.map(() => null), cut: false, blocks: null };
    zones.set(key, zone);
  }
  return zone;
}

function readFreeRow(
  zone: PagetypeinfoZone,
  place: string,
  index: number,
  typeName: string,
  values: string,
  line: string,
): void {
  const type = migratetypeNumber(typeName);
  if (type < 0) return;
  const counts = toCounts(values.replaceAll(">", " "));
  if (counts?.length !== MAX_ORDER) {
    refuseLine(place, index, line, `${MAX_ORDER} counts, for orders 0 to ${MAX_ORDER - 1}`);
  }
  zone.free[type] = counts;
  zone.cut ||= values.includes(">");
}

function readBlocksRow(
  zone: PagetypeinfoZone,
  place: string,
  index: number,
  types: readonly number[],
  values: string,
  line: string,
): void {
  const counts = toCounts(values);
  if (!counts || counts.length !== types.length) {
    refuseLine(place, index, line, `one count for each of the ${types.length} types above`);
  }
  zone.blocks = MIGRATETYPE_NAMES.map((_, type) => counts[types.indexOf(type)] ?? 0);
}

/** -1 for a type that no release up to 6.18 has. */
function migratetypeNumber(name: string): number {
  return (MIGRATETYPE_NAMES as readonly string[]).indexOf(name);
}
