/** kswapd as a task: woken, it works until the high watermark is free, and sleeps again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { takeSmallest } from "../../memory/buddy.ts";
import { MIGRATE } from "../../memory/constants.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import { GFP, GFP_KERNEL, gfpRequest } from "../../memory/gfp.ts";
import type { SmallMemoryShape } from "../../memory/small-memory.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { runTasks } from "../../sched/run.ts";
import { Task } from "../../sched/task.ts";
import { cachedFolio } from "../../vm/small-vm.ts";
import { tryToFreePages } from "./direct-reclaim.ts";
import { kswapd, stopKswapd, wakeupKswapd } from "./kswapd.ts";
import type { Reclaimer } from "./reclaimer.ts";
import { smallReclaim } from "./small-reclaim.ts";

const SHAPE: SmallMemoryShape = {
  pageCount: 256,
  zones: [{ startPfn: 0, spanned: 256, watermarkMin: 16, watermarkLow: 24, watermarkHigh: 40 }],
};

/** Fills the page cache until only so many pages are free. */
function fillCache(reclaimer: Reclaimer, free: number, hold: "held" | "idle" = "idle"): void {
  const { vm } = reclaimer;
  const { mem } = vm;
  const file = vm.cache.createMapping("a file", {});
  for (let at = 0; mem.zones[0].freePages > free; at++) {
    const folio = cachedFolio(vm, file, at, at);
    if (hold === "held") folioGet(mem, folio);
  }
}

/** Runs `work` beside the node's kswapd, and stops that afterwards. */
function runBeside(reclaimer: Reclaimer, work: () => Blocking<void>): void {
  const [node] = reclaimer.nodes;
  function* body(): Blocking<void> {
    yield* work();
    stopKswapd(node);
  }
  const tasks = [new Task("kswapd0", kswapd(reclaimer, node)), new Task("worker", body())];
  runTasks(tasks, reclaimer.clock);
}

/** Lets time pass, for kswapd to go to sleep or to be done. */
function* sleep({ clock, nodes }: Reclaimer, nanoseconds: number): Blocking<void> {
  const queue = nodes[0].throttled.noprogress;
  clock.after(nanoseconds, () => queue.wakeAll());
  yield queue;
}

test("a wake-up below the low watermark frees pages until the high one, and no more", () => {
  const reclaimer = smallReclaim(SHAPE);
  const { mem } = reclaimer.vm;
  const [zone] = mem.zones;
  let woken = 0;
  let asked = -1;
  reclaimer.wakeKcompactd = (_node, order) => {
    woken++;
    asked = order;
  };
  runBeside(reclaimer, function* (): Blocking<void> {
    yield* sleep(reclaimer, 1_000_000_000);
    assert.equal(mem.events.vmstat.snapshot().pageoutrun, 0, "nobody has woken it");
    fillCache(reclaimer, 20);
    wakeupKswapd(reclaimer, zone, 0, "Normal", GFP_KERNEL);
    yield* sleep(reclaimer, 1_000_000_000);
    assert.ok(zone.freePages > 40 && zone.freePages <= 40 + 32, `${zone.freePages} pages free`);
    assert.equal(reclaimer.nodes[0].kswapdWait.empty, false, "asleep");
  });
  const counts = mem.events.vmstat.snapshot();
  assert.equal(counts.pageoutrun, 1);
  assert.equal(counts.pgsteal_kswapd, zone.freePages - 20);
  assert.equal(counts.pgsteal_direct, 0);
  assert.deepEqual([woken > 0, asked], [true, 0], "kcompactd is next, each time that it sleeps");
});

test("a balanced node is left alone; who cannot compact has kcompactd do it", () => {
  const reclaimer = smallReclaim(SHAPE);
  const { mem } = reclaimer.vm;
  const orders: number[] = [];
  runBeside(reclaimer, function* (): Blocking<void> {
    yield* sleep(reclaimer, 1_000_000_000);
    reclaimer.wakeKcompactd = (_node, order) => orders.push(order);
    wakeupKswapd(reclaimer, mem.zones[0], 3, "Normal", GFP_KERNEL);
    assert.deepEqual(orders, []);
    wakeupKswapd(reclaimer, mem.zones[0], 3, "Normal", GFP.kswapdReclaim);
    assert.deepEqual(orders, [3]);
  });
  assert.equal(mem.events.vmstat.snapshot().pageoutrun, 0);
});

test("where nothing can be freed kswapd gives up after 16 rounds, until somebody succeeds", () => {
  const reclaimer = smallReclaim(SHAPE);
  const { vm } = reclaimer;
  const [node] = reclaimer.nodes;
  runBeside(reclaimer, function* (): Blocking<void> {
    fillCache(reclaimer, 20, "held");
    wakeupKswapd(reclaimer, vm.mem.zones[0], 0, "Normal", GFP_KERNEL);
    yield* sleep(reclaimer, 10_000_000_000);
    assert.equal(node.isHopeless, true);
    assert.equal(vm.mem.events.vmstat.snapshot().pageoutrun, 16);
    assert.equal(node.kswapdWait.empty, false, "asleep");
    cachedFolio(vm, vm.cache.createMapping("another file", {}), 0, 1);
    const freed = yield* tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 0, 0));
    assert.equal(freed, 1);
    assert.equal(node.isHopeless, false);
  });
});

test("a boost is over after one run, which frees no page by force, and kcompactd is next", () => {
  const reclaimer = smallReclaim(SHAPE);
  const { mem } = reclaimer.vm;
  const [zone] = mem.zones;
  const orders: number[] = [];
  runBeside(reclaimer, function* (): Blocking<void> {
    yield* sleep(reclaimer, 1_000_000_000);
    fillCache(reclaimer, 120);
    reclaimer.wakeKcompactd = (_node, order) => orders.push(order);
    zone.watermarkBoost = 60;
    wakeupKswapd(reclaimer, zone, 0, "Normal", GFP_KERNEL);
    yield* sleep(reclaimer, 1_000_000_000);
    assert.equal(zone.watermarkBoost, 0);
    assert.equal(zone.freePages, 120, "a list of so few pages is not looked at with such patience");
  });
  assert.equal(orders[0], 9, "a pageblock");
  assert.equal(mem.events.vmstat.snapshot().pageoutrun, 1);
});

test("a direct reclaim waits while kswapd itself has too little, and goes on when it has", () => {
  const reclaimer = smallReclaim(SHAPE);
  const { mem } = reclaimer.vm;
  const [zone] = mem.zones;
  runBeside(reclaimer, function* (): Blocking<void> {
    yield* sleep(reclaimer, 1_000_000_000);
    fillCache(reclaimer, 17);
    for (let taken = 0; taken < 11; taken++) takeSmallest(mem, zone, 0, MIGRATE.movable);
    yield* tryToFreePages(reclaimer, gfpRequest(GFP_KERNEL, 0, 0));
    assert.ok(zone.freePages > 8, "more than half of the minimum");
  });
  const counts = mem.events.vmstat.snapshot();
  assert.equal(counts.pgscan_direct_throttle, 1);
  assert.ok(counts.pgsteal_kswapd > 0);
  assert.equal(counts.allocstall_normal, 1);
});
