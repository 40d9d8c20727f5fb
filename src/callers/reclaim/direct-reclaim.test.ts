import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet } from "../../memory/folio-ref.ts";
import { GFP_KERNEL, gfpRequest } from "../../memory/gfp.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { folioActivate } from "../../memory/lru-moves.ts";
import type { Shrinker } from "../../memory/shrinker.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import { cachedFolio } from "../../vm/small-vm.ts";
import { tryToFreePages } from "./direct-reclaim.ts";
import type { Reclaimer } from "./reclaimer.ts";
import { smallReclaim } from "./small-reclaim.ts";

function fillCache({ vm }: Reclaimer, count: number): void {
  const file = vm.cache.createMapping("a file", {});
  for (let at = 0; at < count; at++) cachedFolio(vm, file, at, at);
}

test("a request gets 32 pages or a little more, and is counted by its zone", () => {
  const reclaimer = smallReclaim({ pageCount: 256 });
  fillCache(reclaimer, 200);
  const freed = runToEnd(tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 0, 0)));
  assert.ok(freed >= 32 && freed < 64, `${freed} pages`);
  const counts = reclaimer.vm.mem.events.vmstat.snapshot();
  assert.equal(counts.allocstall_normal, 1);
  assert.equal(counts.pgsteal_direct, freed);
});

test("an active list is spared as long as that goes, and not when nothing else is left", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { mem } = vm;
  const file = vm.cache.createMapping("a file", {});
  const folios = Array.from({ length: 40 }, (_, at) => cachedFolio(vm, file, at, at));
  // As many held on the inactive list: it is not short, and nothing of it can go.
  for (const folio of folios.slice(0, 20)) folioGet(mem, folio);
  for (const folio of folios.slice(20)) folioActivate(mem, folio);
  lruAddDrain(mem);
  const freed = runToEnd(tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 0, 0)));
  assert.ok(freed > 0);
  const counts = mem.events.vmstat.snapshot();
  assert.ok(counts.pgdeactivate > 0);
});

test("where nothing can be freed the answer is no progress", () => {
  const reclaimer = smallReclaim();
  assert.equal(runToEnd(tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 0, 0))), 0);
  assert.equal(reclaimer.vm.mem.events.vmstat.snapshot().allocstall_normal, 1);
});

test("a large block is left to compaction where it has the room, and no page is freed", () => {
  const reclaimer = smallReclaim({ pageCount: 1024 });
  const { mem } = reclaimer.vm;
  fillCache(reclaimer, 100);
  assert.equal(runToEnd(tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 4, 0))), 1);
  assert.equal(mem.events.vmstat.snapshot().pgscan_direct, 0);
});

test("work that makes room does not make room in turn, and caches are asked", () => {
  const reclaimer = smallReclaim({ pageCount: 256 });
  const { mem } = reclaimer.vm;
  fillCache(reclaimer, 64);
  const seen: boolean[] = [];
  const cache: Shrinker = {
    name: "a cache",
    seeks: 0,
    batch: 1,
    deferred: new Map(),
    countObjects: () => 2,
    *scanObjects(_mem, _node, count): Blocking<number> {
      yield "cache-scans";
      seen.push(mem.memalloc);
      return count;
    },
  };
  mem.shrinkers.push(cache);
  runToEnd(tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 0, 0)));
  assert.ok(seen.length > 0 && seen.every((each) => each));
  assert.equal(mem.memalloc, false);
});
