import assert from "node:assert/strict";
import { test } from "node:test";
import { parseZoneinfo } from "./parse/zoneinfo.ts";
import type { Finding, SnapshotZone } from "./snapshot.ts";
import { tellOverlap, zoneSegments, zonesFromZoneinfo } from "./zones.ts";

function zonesOf(text: string, pageCount: number, findings: Finding[] = []): SnapshotZone[] {
  return zonesFromZoneinfo("z", parseZoneinfo("z", text), pageCount, findings);
}

function zoneText(node: number, name: string, start: number, spanned: number): string {
  return `Node ${node}, zone ${name}\n pages free 1\n boost 0\n min 1\n low 2\n high 3\n spanned ${spanned}
 present ${spanned}\n managed ${spanned}\n protection: (0, 7, 9)\n cpu: 0\n count: 4\n high: 5\n batch: 6
 start_pfn: ${start}\n`;
}

test("zones without memory are left out, the rest are by start", () => {
  const text =
    zoneText(1, "Normal", 800, 200) +
    "Node 0, zone DMA\n spanned 0\n" +
    zoneText(0, "Normal", 0, 800);
  const zones = zonesOf(text, 1000);
  assert.deepEqual(
    zones.map(({ node, startPfn }) => [node, startPfn]),
    [
      [0, 0],
      [1, 800],
    ],
  );
});

test("the reserve is by zone type, whatever zones the kernel was built with", () => {
  // This kernel has no DMA32: its second number is for Normal, its third for Movable.
  const text = `${zoneText(0, "DMA", 1, 9)}Node 0, zone Normal\n spanned 0\nNode 0, zone Movable\n spanned 0\n`;
  const [dma] = zonesOf(text, 10);
  assert.deepEqual(dma.lowmemReserve, [0, 0, 7, 9, 0]);
});

test("numbers that are missing get the value that an older kernel has in effect, and it is said", () => {
  const findings: Finding[] = [];
  const [zone] = zonesOf("Node 0, zone Normal\n min 8\n spanned 64\n start_pfn: 0\n", 64, findings);
  assert.equal(zone.present, 64);
  assert.equal(zone.managed, 64);
  assert.equal(zone.watermarkLow, 8);
  assert.equal(zone.watermarkHigh, 8);
  assert.deepEqual(zone.pcp, []);
  assert.equal(findings.length, 1);
  for (const name of ["present", "managed", "low", "high", "boost", "protection", "pagesets"]) {
    assert.match(findings[0].text, new RegExp(`\\b${name}\\b`));
  }
  assert.doesNotMatch(findings[0].text, /\bmin\b/);
});

test("a zone that cannot be placed is refused with its line", () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    [
      zoneText(0, "Normal", 500, 501),
      /^z:1: found zone Normal of node 0 from frame 500 to 1001, .* 1000/,
    ],
    [zoneText(0, "HighMem", 0, 10), /^z:1: found zone HighMem of node 0, expected a zone of DMA/],
    ["Node 0, zone Normal\n spanned 9\n", /^z:1: .* without start_pfn/],
    ["Node 0, zone Normal\n spanned 0\n", /^z: found no zone that spans memory/],
  ];
  for (const [text, message] of refusals) {
    assert.throws(() => zonesOf(text, 1000), { name: "InputError", message });
  }
});

test("where spans overlap, the zone that starts last gets the frames, and it is said", () => {
  const findings: Finding[] = [];
  const text =
    zoneText(0, "Normal", 0, 100) + zoneText(1, "Normal", 40, 20) + zoneText(2, "Normal", 100, 10);
  const zones = zonesOf(text, 110);
  assert.deepEqual(zoneSegments(zones), [
    { zone: 0, start: 0, end: 40 },
    { zone: 1, start: 40, end: 60 },
    { zone: 0, start: 60, end: 100 },
    { zone: 2, start: 100, end: 110 },
  ]);
  tellOverlap(zones, findings);
  assert.match(findings[0].text, /overlap in 20 frames/);
});

test("zones that do not overlap keep their spans and say nothing", () => {
  const findings: Finding[] = [];
  const zones = zonesOf(zoneText(0, "DMA", 1, 9) + zoneText(0, "Normal", 20, 5), 25);
  assert.deepEqual(zoneSegments(zones), [
    { zone: 0, start: 1, end: 10 },
    { zone: 1, start: 20, end: 25 },
  ]);
  tellOverlap(zones, findings);
  assert.deepEqual(findings, []);
});
