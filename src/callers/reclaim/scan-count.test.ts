import assert from "node:assert/strict";
import { test } from "node:test";
import { LRU, type LruList } from "../../memory/node.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import type { Reclaimer } from "./reclaimer.ts";
import type { ScanControl } from "./scan-control.ts";
import { getScanCount, prepareScanCount } from "./scan-count.ts";
import { scanFor, smallReclaim } from "./small-reclaim.ts";

/** Says that the lists have so many pages, by LRU. */
function sizes({ vm, nodes }: Reclaimer, pages: readonly number[]): void {
  const [{ node }] = nodes;
  for (const [lru, count] of pages.entries()) {
    node.lruPages[lru as LruList] = count;
    vm.mem.zones[0].lruPages[lru as LruList] = count;
  }
}

function counted(sc: ScanControl): number[] {
  const [node] = sc.reclaimer.nodes;
  prepareScanCount(sc, node);
  return getScanCount(sc, node);
}

function withSwap(): Reclaimer {
  const reclaimer = smallReclaim();
  smallSwap(reclaimer.vm);
  return reclaimer;
}

test("each step of priority looks at twice as much, and without swap at files alone", () => {
  const reclaimer = smallReclaim();
  sizes(reclaimer, [4096, 4096, 8192, 4096]);
  const sc = scanFor(reclaimer);
  assert.deepEqual(counted(sc), [0, 0, 2, 1]);
  sc.priority = 10;
  assert.deepEqual(counted(sc), [0, 0, 8, 4]);
});

test("by default a swap-in is twice as dear as a read, and 30 of 100 pages are anonymous", () => {
  const reclaimer = withSwap();
  // The inactive file list is short, so that page cache alone is not enough.
  sizes(reclaimer, [4096, 0, 1000, 4096]);
  const sc = scanFor(reclaimer);
  sc.priority = 2;
  const counts = counted(sc);
  assert.equal(sc.cacheTrimMode, false);
  assert.deepEqual(counts, [307, 0, 175, 716]);
});

test("what has cost more of late is looked at less, to a third at least", () => {
  const reclaimer = withSwap();
  sizes(reclaimer, [3000, 0, 1000, 3000]);
  reclaimer.nodes[0].fileCost = 1_000_000;
  const sc = scanFor(reclaimer);
  sc.priority = 0;
  sc.priority = 1;
  const [anon, , , file] = counted(sc);
  assert.ok(anon + file <= 1500 && anon > file / 2, `${anon} anonymous, ${file} of files`);
});

test("inactive page cache that is plenty is taken first; at priority 0 nothing is spared", () => {
  const reclaimer = withSwap();
  sizes(reclaimer, [4096, 0, 8192, 4096]);
  const sc = scanFor(reclaimer);
  sc.priority = 2;
  assert.deepEqual(counted(sc), [0, 0, 2048, 1024]);
  assert.equal(sc.cacheTrimMode, true);
  sc.priority = 0;
  assert.deepEqual(counted(sc), [4096, 0, 8192, 4096]);
});

test("with hardly any page cache anonymous pages must go", () => {
  const zone = { startPfn: 0, spanned: 64, watermarkHigh: 200 };
  const reclaimer = smallReclaim({ pageCount: 64, zones: [zone] });
  smallSwap(reclaimer.vm);
  sizes(reclaimer, [4096, 0, 32, 8]);
  const sc = scanFor(reclaimer);
  sc.priority = 2;
  assert.deepEqual(counted(sc), [1024, 0, 0, 0]);
  assert.equal(sc.fileIsTiny, true);
});

test("an active list is left alone while the inactive one is long and nothing comes back", () => {
  const reclaimer = withSwap();
  const [node] = reclaimer.nodes;
  sizes(reclaimer, [100, 50, 100, 50]);
  const sc = scanFor(reclaimer);
  counted(sc);
  assert.equal(sc.mayDeactivate, 0);
  node.activations[1]++;
  counted(sc);
  assert.equal(sc.mayDeactivate, 2, "files' pages came back");
  sizes(reclaimer, [49, 50, 100, 50]);
  counted(sc);
  assert.equal(sc.mayDeactivate, 3, "and few anonymous pages are inactive");
  node.refaults[1] = 1;
  counted(sc);
  assert.equal(sc.mayDeactivate, 1);
  sc.forceDeactivate = true;
  counted(sc);
  assert.equal(sc.mayDeactivate, 3);
  assert.equal(node.node.lruPages[LRU.activeAnon], 50);
});
