/**
 * From the files of one side to a snapshot. The order matters: zones; holes, and pages not set up
 * yet, both of which look like the kernel's; compound folios; free blocks; types of pageblocks.
 */
import { InputError } from "../base/input-error.ts";
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { inferBlockTypes } from "./block-types.ts";
import type { CgroupColumn, FlagColumns } from "./columns.ts";
import { settleCompounds } from "./compound.ts";
import { tellDrift, tellScan } from "./drift.ts";
import {
  buddyMarksOf,
  countMaximalBlocks,
  partUnmergeable,
  settleMaximalBlocks,
} from "./free-blocks.ts";
import { settleHeadsOnly } from "./free-heads.ts";
import { markHoles } from "./holes.ts";
import { markLate } from "./late-pages.ts";
import { parseBuddyinfo } from "./parse/buddyinfo.ts";
import { parseIomem } from "./parse/iomem.ts";
import { parseRunJson, parseSnapshotJson } from "./parse/json.ts";
import { parseMeminfo } from "./parse/meminfo.ts";
import { type PagetypeinfoZone, parsePagetypeinfo } from "./parse/pagetypeinfo.ts";
import { parseVmstat } from "./parse/vmstat.ts";
import { parseZoneinfo } from "./parse/zoneinfo.ts";
import type {
  Finding,
  FreeBlocks,
  Side,
  Snapshot,
  SnapshotPagemap,
  SnapshotSummary,
  SnapshotZone,
} from "./snapshot.ts";
import { tellOverlap, type ZoneSegment, zoneSegments, zonesFromZoneinfo } from "./zones.ts";

/** What was read of one side, not yet understood. */
export interface SideFiles {
  readonly folder: string;
  readonly side: Side | null;
  /** What messages call its kpageflags. */
  place: string;
  /** Of the side that is wanted. */
  columns: FlagColumns | null;
  /** Of the other side. */
  kind: Uint8Array | null;
  mapcount: { place: string; column: Int32Array } | null;
  cgroup: ({ place: string } & CgroupColumn) | null;
  readonly texts: Map<string, { place: string; text: string }>;
  /** By name without the side. */
  pagemaps: Map<string, Int32Array>;
  pins: Int32Array | null;
}

/** Throws `InputError` if the files do not fit together. */
export function buildSnapshot(files: SideFiles, name: string, wanted: Side): Snapshot {
  const findings: Finding[] = [];
  const columns = files.columns ?? noPages(files.place);
  const pageCount = columns.kind.length;
  if (pageCount === 0) noPages(files.place);
  checkLengths(files, pageCount);
  const zones = zonesOf(files, pageCount, findings);
  const segments = zoneSegments(zones);
  const json = read(files, "snapshot.json", parseSnapshotJson, null);
  tellMissing(files, findings);
  tellScan(json, findings);

  const iomem = read(files, "iomem", parseIomem, null);
  markHoles(columns, zones, segments, iomem, findings);
  markLate(columns, zones, segments, findings);
  const order = new Uint8Array(pageCount);
  settleCompounds(columns, order, findings);
  const buddyinfo = buddyinfoOf(files, "buddyinfo", zones);
  const buddyinfoEnd = buddyinfoOf(files, "buddyinfo.end", zones);
  const freeBlocks = settleFreeBlocks(files, columns, order, segments, zones, buddyinfo, findings);
  const pagetypeinfo = pagetypeinfoOf(files, zones, findings);
  const blockType = inferBlockTypes(
    { ...columns, order, zones, segments, freeBlocks, buddyinfo, pagetypeinfo },
    findings,
  );
  partUnmergeable(columns, order, blockType, freeBlocks, segments);
  tellDrift(zones, freeBlocks, buddyinfo, buddyinfoEnd, findings);
  return {
    name,
    side: files.side ?? wanted,
    kernel: json?.kernel ?? kernelOf(files),
    pageCount,
    ...columns,
    mapcount: files.mapcount?.column ?? new Int32Array(pageCount),
    cgroup: files.cgroup?.ids ?? null,
    cgroups: files.cgroup?.inodes ?? [],
    order,
    zones,
    blockType,
    freeBlocks,
    buddyinfo,
    buddyinfoEnd,
    pagetypeinfo,
    meminfo: read(files, "meminfo", parseMeminfo, new Map()),
    vmstat: read(files, "vmstat", parseVmstat, new Map()),
    pagemaps: pagemapsOf(files),
    pins: files.pins?.slice().sort() ?? null,
    findings,
  };
}

/** What the other side is needed for: its free blocks. Throws `InputError` like `buildSnapshot`. */
export function buildSummary(files: SideFiles): SnapshotSummary {
  const kind = files.kind ?? noPages(files.place);
  const zones = zonesOf(files, kind.length, []);
  return {
    side: files.side ?? "after",
    zones,
    freeBlocks: countMaximalBlocks(kind, zones.length, zoneSegments(zones)),
    buddyinfo: buddyinfoOf(files, "buddyinfo", zones),
    nrFree: zones.reduce((sum, zone) => sum + zone.free, 0),
    vmstat: read(files, "vmstat", parseVmstat, new Map()),
  };
}

/** What /proc/version begins with: "Linux version 6.1.0-56-amd64 (...)". */
function kernelOf(files: SideFiles): string | null {
  const match = /^Linux version (\S+)/.exec(files.texts.get("version")?.text ?? "");
  return match === null ? null : `Linux ${match[1]}`;
}

function settleFreeBlocks(
  files: SideFiles,
  columns: FlagColumns,
  order: Uint8Array,
  segments: readonly ZoneSegment[],
  zones: readonly SnapshotZone[],
  buddyinfo: readonly FreeBlocks[] | null,
  findings: Finding[],
): number[][] {
  if (buddyMarksOf(columns.kind) === "every page") {
    findings.push({
      topic: "free blocks",
      text: "this kernel marks every page of a free block; blocks follow by merging as the allocator does",
      certainty: "exact",
    });
    return settleMaximalBlocks(columns, order, zones.length, segments);
  }
  findings.push({
    topic: "free blocks",
    text: buddyinfo
      ? "this kernel marks only the first page of a free block; sizes come from what lies behind it and from buddyinfo"
      : "this kernel marks only the first page of a free block and buddyinfo is missing: sizes are an upper bound",
    certainty: buddyinfo ? "likely" : "guess",
  });
  const mapcount = files.mapcount?.column ?? null;
  return settleHeadsOnly(columns, order, mapcount, zones.length, segments, buddyinfo);
}

function checkLengths(files: SideFiles, pageCount: number): void {
  const others = [
    { place: files.mapcount?.place, length: files.mapcount?.column.length },
    { place: files.cgroup?.place, length: files.cgroup?.ids.length },
  ];
  for (const { place, length } of others) {
    if (place === undefined || length === pageCount) continue;
    throw new InputError(place, `${length} entries`, `${pageCount}, as in ${files.place}`);
  }
}

function zonesOf(files: SideFiles, pageCount: number, findings: Finding[]): SnapshotZone[] {
  const file = files.texts.get("zoneinfo");
  if (!file) {
    throw new InputError(files.place, "no zoneinfo beside it", "zoneinfo, which tells the zones");
  }
  const parsed = parseZoneinfo(file.place, file.text);
  const zones = zonesFromZoneinfo(file.place, parsed, pageCount, findings);
  tellOverlap(zones, findings);
  return zones;
}

function read<T>(
  files: SideFiles,
  name: string,
  parse: (place: string, text: string) => T,
  missing: T,
): T {
  const file = files.texts.get(name);
  return file ? parse(file.place, file.text) : missing;
}

function buddyinfoOf(
  files: SideFiles,
  name: string,
  zones: readonly SnapshotZone[],
): FreeBlocks[] | null {
  const file = files.texts.get(name);
  if (!file) return null;
  const rows = parseBuddyinfo(file.place, file.text);
  return zones.map((zone) => {
    const row = rows.find((each) => each.node === zone.node && each.name === zone.type);
    if (row) return row.counts;
    throw new InputError(
      file.place,
      `no zone ${zone.type} of node ${zone.node}`,
      "all of zoneinfo's",
    );
  });
}

function pagetypeinfoOf(
  files: SideFiles,
  zones: readonly SnapshotZone[],
  findings: Finding[],
): (PagetypeinfoZone | null)[] | null {
  const parsed = read(files, "pagetypeinfo", parsePagetypeinfo, null);
  if (!parsed) return null;
  if ((parsed.pageblockOrder ?? PAGEBLOCK_ORDER) !== PAGEBLOCK_ORDER) {
    findings.push({
      topic: "pageblock types",
      text: `the kernel's pageblocks are of order ${parsed.pageblockOrder}, ours of ${PAGEBLOCK_ORDER}: its counts of them are not used`,
      certainty: "guess",
    });
    return null;
  }
  return zones.map(
    (zone) => parsed.zones.find((row) => row.node === zone.node && row.name === zone.type) ?? null,
  );
}

function pagemapsOf(files: SideFiles): SnapshotPagemap[] {
  const regions = read(files, "run.pair.json", parseRunJson, []);
  return [...files.pagemaps].map(([file, pfns]) => {
    const region = regions.find((each) => each.file === file);
    const name = file.replace(/^pagemap\./, "");
    return { name: region?.name ?? name, baseVpn: region?.baseVpn ?? 0, pfns };
  });
}

function tellMissing(files: SideFiles, findings: Finding[]): void {
  const losses: readonly (readonly [boolean, string])[] = [
    [files.mapcount !== null, "kpagecount is missing: how often a page is mapped is not known"],
    [
      files.cgroup !== null,
      "kpagecgroup is missing: which cgroup a page is charged to is not known",
    ],
    [files.texts.has("buddyinfo"), "buddyinfo is missing: free blocks cannot be checked"],
    [
      files.texts.has("pagetypeinfo"),
      "pagetypeinfo is missing: pageblock types rest on content alone",
    ],
    [files.texts.has("iomem"), "iomem is missing: holes rest on zoneinfo and flags alone"],
  ];
  for (const [isThere, text] of losses) {
    if (!isThere) findings.push({ topic: "missing files", text, certainty: "missing" });
  }
}

function noPages(place: string): never {
  throw new InputError(place, "no entry", "one for each page of memory");
}
