import assert from "node:assert/strict";
import { test } from "node:test";
import { parseZoneinfo } from "./zoneinfo.ts";

const OF_6_18 = `Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 98837
      nr_free_cma  0
  pages free     3840
        boost    0
        min      10
        low      13
        high     16
        promo    19
        spanned  4095
        present  3998
        managed  3839
        cma      0
        protection: (0, 3019, 24090, 24090, 24090)
      nr_free_pages 3841
      numa_hit     0
  pagesets
    cpu: 0
              count:    0
              high:     0
              batch:    1
              high_min: 6
              high_max: 240
  vm stats threshold: 4
    cpu: 1
              count:    5
              high:     7
              batch:    63
              high_min: 6
  vm stats threshold: 4
  node_unreclaimable:  1
  start_pfn:           1
Node 0, zone  Movable
  pages free     0
        spanned  0
        present  0
`;

const OF_6_1 = `Node 1, zone    DMA32
  pages free     74843
        boost    0
        min      434
        low      542
        high     650
        spanned  98272
        present  98272
        managed  96113
        protection: (0, 0)
  pagesets
    cpu: 0
              count: 12
              high:  542
              batch: 31
  vm stats threshold: 12
  start_pfn:           98304
`;

test("the form of 6.18 is read, high of a zone apart from high of a pageset", () => {
  const [dma, movable] = parseZoneinfo("zoneinfo", OF_6_18);
  assert.deepEqual(dma, {
    node: 0,
    name: "DMA",
    line: 1,
    free: 3841,
    boost: 0,
    min: 10,
    low: 13,
    high: 16,
    spanned: 4095,
    present: 3998,
    managed: 3839,
    protection: [0, 3019, 24090, 24090, 24090],
    startPfn: 1,
    pagesets: [
      { cpu: 0, count: 0, high: 0, batch: 1 },
      { cpu: 1, count: 5, high: 7, batch: 63 },
    ],
  });
  assert.equal(movable.spanned, 0);
  assert.equal(movable.startPfn, null);
});

test("the form of 6.1 is read", () => {
  const [zone] = parseZoneinfo("zoneinfo", OF_6_1);
  assert.equal(zone.node, 1);
  assert.equal(zone.free, 74843);
  assert.equal(zone.high, 650);
  assert.equal(zone.startPfn, 98304);
  assert.deepEqual(zone.pagesets, [{ cpu: 0, count: 12, high: 542, batch: 31 }]);
});

test("numbers that an old release lacks come back null", () => {
  const [zone] = parseZoneinfo("zoneinfo", "Node 0, zone Normal\n  pages free 5\n spanned 9\n");
  assert.equal(zone.free, 5);
  assert.equal(zone.boost, null);
  assert.equal(zone.managed, null);
  assert.equal(zone.protection, null);
});

test("what is no zoneinfo is refused with the line", () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ["", /^z: found no zone/],
    ["MemTotal: 5 kB\n", /^z:1: found "MemTotal: 5 kB", expected "Node N, zone NAME"/],
    ["Node 0, zone DMA\n  min  ten\n", /^z:2: found "min {2}ten", expected a number of pages/],
    ["Node 0, zone DMA\n  start_pfn: -1\n", /^z:2: .* expected a number of pages/],
    ["Node 0, zone DMA\n protection: (0, x)\n", /^z:2: .* expected \(COUNT, COUNT, \.\.\.\)/],
    ["Node 0, zone DMA\n   count: 5\n", /^z:2: .* expected "cpu: N" above "count:"/],
    ["Node 0, zone DMA\n spanned 99999999999999999999\n", /^z:2: /],
  ];
  for (const [text, message] of refusals) {
    assert.throws(() => parseZoneinfo("z", text), { name: "InputError", message });
  }
});
