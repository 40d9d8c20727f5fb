import assert from "node:assert/strict";
import { test } from "node:test";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { markHoles } from "./holes.ts";
import { markLate } from "./late-pages.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { Finding, SnapshotZone } from "./snapshot.ts";
import { zoneSegments } from "./zones.ts";

const PAGES = 65536;

function zoneOf(startPfn: number, spanned: number, present: number): SnapshotZone {
  return {
    node: 0,
    type: "Normal",
    startPfn,
    spanned,
    present,
    managed: present,
    watermarkMin: 0,
    watermarkLow: 0,
    watermarkHigh: 0,
    watermarkBoost: 0,
    lowmemReserve: [],
    free: 0,
    pcp: [],
  };
}

function columnsOf(): FlagColumns {
  const kind = new Uint8Array(PAGES).fill(PAGE_KIND.anonymous);
  return { kind, flags: new Int32Array(PAGES).fill(PG.lru) };
}

/** Gives pages without any flag, as holes are too. */
function blank({ kind, flags }: FlagColumns, start: number, end: number): void {
  kind.fill(PAGE_KIND.unknown, start, end);
  flags.fill(PG.kernel, start, end);
}

function pagesOf({ kind }: FlagColumns, wanted: number): number[] {
  return [...kind.keys()].filter((pfn) => kind[pfn] === wanted);
}

function holesIn(columns: FlagColumns): number[] {
  return pagesOf(columns, PAGE_KIND.hole);
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

test("frames outside all zones, and outside RAM, are holes if nothing is in them", () => {
  const columns = columnsOf();
  blank(columns, 0, 10);
  blank(columns, 4096, 8192);
  columns.kind[4200] = PAGE_KIND.anonymous;
  const zones = [zoneOf(1, PAGES - 1, PAGES - 1 - 4095)];
  const findings: Finding[] = [];
  const ram = [
    { start: 1, end: 4096 },
    { start: 8192, end: PAGES },
  ];
  markHoles(columns, zones, zoneSegments(zones), { ram, kernel: [] }, findings);
  assert.deepEqual(holesIn(columns), [0, ...range(4096, 4200), ...range(4201, 8192)]);
  assert.equal(columns.flags[5000], PG.hole);
  assert.deepEqual(findings, []);
});

test("what adds up to another number than zoneinfo's is said", () => {
  const columns = columnsOf();
  const zones = [zoneOf(0, PAGES, PAGES - 7)];
  const findings: Finding[] = [];
  const iomem = { ram: [{ start: 0, end: PAGES }], kernel: [] };
  markHoles(columns, zones, zoneSegments(zones), iomem, findings);
  assert.match(findings[0].text, /65536 frames are taken as memory, zoneinfo says 65529/);
});

test("without iomem the longest runs without a flag make up what zoneinfo says is missing", () => {
  const columns = columnsOf();
  blank(columns, 0, 3000);
  blank(columns, 4096, 8192);
  blank(columns, 9000, 9100);
  const zones = [zoneOf(0, PAGES, PAGES - 4096)];
  const findings: Finding[] = [];
  markHoles(columns, zones, zoneSegments(zones), null, findings);
  assert.deepEqual(holesIn(columns), range(4096, 8192));
  assert.deepEqual(
    findings.map(({ certainty }) => certainty),
    ["guess"],
  );
});

test("without iomem a zone that misses nothing has no holes", () => {
  const columns = columnsOf();
  blank(columns, 4096, 8192);
  const zones = [zoneOf(0, PAGES, PAGES)];
  markHoles(columns, zones, zoneSegments(zones), null, []);
  assert.deepEqual(holesIn(columns), []);
});

test("memory that is present, not managed and without flags is not set up yet", () => {
  const columns = columnsOf();
  blank(columns, 1000, 5000);
  blank(columns, 32768, 32768 + 20000);
  columns.kind.fill(PAGE_KIND.reserved, 60000, 60500);
  const zones = [{ ...zoneOf(0, PAGES, PAGES), managed: PAGES - 500 - 20000 }];
  const findings: Finding[] = [];
  markLate(columns, zones, zoneSegments(zones), findings);
  assert.deepEqual(pagesOf(columns, PAGE_KIND.late), range(32768, 52768));
  assert.equal(columns.flags[40000], PG.reserved);
  assert.match(findings[0].text, /^20,000 pages of zone Normal/);
});

test("what the kernel took for itself at boot is not taken for that", () => {
  const columns = columnsOf();
  blank(columns, 1000, 30000);
  const zones = [{ ...zoneOf(0, PAGES, PAGES), managed: PAGES - 16000 }];
  const findings: Finding[] = [];
  markLate(columns, zones, zoneSegments(zones), findings);
  assert.deepEqual(pagesOf(columns, PAGE_KIND.late), []);
  assert.deepEqual(findings, []);
});
