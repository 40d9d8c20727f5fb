import assert from "node:assert/strict";
import { test } from "node:test";
import type { AllocRefusalName } from "../events/alloc-refusals.ts";
import {
  GFP,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_TRANSHUGE,
  type GfpRequest,
  gfpRequest,
} from "../memory/gfp.ts";
import { folioAllocGfp } from "../memory/page-alloc.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { supplyAllocSlowPath } from "./alloc-slow-path.ts";
import { COMPACT_SYSCTL_DEFAULTS } from "./compaction/control.ts";
import { HandMadeZone } from "./compaction/hand-made-zone.ts";

const HUGE = 9;
const MARKS = { watermarkMin: 2, watermarkLow: 4, watermarkHigh: 6 };

function withSlowPath(made: HandMadeZone): HandMadeZone {
  supplyAllocSlowPath(made.vm, () => COMPACT_SYSCTL_DEFAULTS);
  return made;
}

/**
 * Eight blocks: one half pages and half free, four with free frames apart, three the kernel's.
 *
 * Pages have the odd frames: an asynchronous scan goes on behind the last page that it took, and
 * there must be something that does not merge with what is freed, or it gives the block up.
 */
function fragmented(): HandMadeZone {
  const made = new HandMadeZone(8);
  for (const block of [7, 6, 5, 4]) {
    for (let at = 0; at < 512; at += 2) made.free(made.block(block) + at);
  }
  for (let at = 0; at < 512; at += 2) {
    made.free(made.block(0) + at);
    made.anonymous(made.block(0) + at + 1);
  }
  return withSlowPath(made);
}

/** What was allocated, and the names of what refused if nothing was. */
function allocate(made: HandMadeZone, gfp: number, order: number): number | AllocRefusalName[] {
  const before = { ...made.mem.events.allocRefusals };
  const folio = runToEnd(folioAllocGfp(made.mem, gfpRequest(gfp, order, 0)));
  if (folio !== null) return folio;
  const after = made.mem.events.allocRefusals;
  return (Object.keys(after) as AllocRefusalName[]).filter((name) => after[name] > before[name]);
}

test("a huge page is captured as its last page moves away", () => {
  const made = fragmented();
  assert.equal(allocate(made, GFP_TRANSHUGE, HUGE), made.block(0));
  const counts = made.mem.events.vmstat.snapshot();
  assert.deepEqual([counts.compact_stall, counts.compact_success, counts.compact_fail], [1, 1, 0]);
  assert.equal(counts.pgmigrate_success, 256);
  assert.equal(made.mem.refcount[made.block(0)], 1);
  const told = made.compactionTrace;
  assert.equal(
    told[0],
    "mm_compaction_try_to_compact_pages: order=9 gfp_mask=GFP_TRANSHUGE priority=2",
  );
  assert.deepEqual(
    told.slice(-2).map((line) => line.replace(/.*mm_compaction_(\w+):.*/, "$1")),
    ["defer_reset", "defer_reset"],
    "for the free block, and for the allocation",
  );
});

test("what may not sleep, or may not start input and output, compacts nothing", () => {
  const made = fragmented();
  const light = GFP_TRANSHUGE & ~GFP.directReclaim;
  assert.deepEqual(allocate(made, light, HUGE), ["may_not_wait"]);
  assert.deepEqual(allocate(made, GFP_TRANSHUGE & ~GFP.io, HUGE), ["costly"]);
  made.mem.memalloc = true;
  assert.deepEqual(allocate(made, GFP_TRANSHUGE, HUGE), ["makes_room"]);
  assert.equal(made.mem.events.vmstat.snapshot().compact_stall, 0);
});

test("without free memory to work in a light attempt gives up at once, another asks reclaim", () => {
  const made = withSlowPath(new HandMadeZone(4));
  for (let at = 0; at < 512; at += 2) made.free(made.block(2) + at);
  const asked: number[] = [];
  made.mem.allocHooks.directReclaim = function* ({ order }: GfpRequest): Blocking<number> {
    yield "reclaim";
    asked.push(order);
    return 0;
  };
  assert.deepEqual(allocate(made, GFP_TRANSHUGE | GFP.noRetry, HUGE), ["put_off"]);
  assert.deepEqual(asked, []);
  assert.deepEqual(allocate(made, GFP_TRANSHUGE, HUGE), ["costly"]);
  assert.deepEqual(asked, [HUGE]);
  assert.equal(made.mem.events.vmstat.snapshot().compact_stall, 0, "a skip is no stall");
});

test("a failed compaction is counted; the next stronger is tried, then the zone is put off", () => {
  const made = withSlowPath(new HandMadeZone(8));
  for (const block of [7, 6, 5, 4, 3]) {
    for (let at = 0; at < 512; at += 2) made.free(made.block(block) + at);
  }
  assert.deepEqual(allocate(made, GFP_TRANSHUGE, HUGE), ["costly"]);
  const counts = made.mem.events.vmstat.snapshot();
  assert.deepEqual([counts.compact_stall, counts.compact_fail, counts.compact_success], [2, 2, 0]);
  const tries = made.compactionTrace.filter((line) => line.includes("try_to_compact"));
  assert.deepEqual(
    tries.map((line) => line.slice(-1)),
    ["2", "1"],
  );
  assert.equal(made.zone.compactDeferShift, 1);
  assert.deepEqual(allocate(made, GFP_TRANSHUGE | GFP.noRetry, HUGE), ["put_off"]);
});

test("with progress a patient request goes through the priorities, and stops at sync-light", () => {
  const made = withSlowPath(new HandMadeZone(8));
  for (const block of [7, 6, 5, 4, 3]) {
    for (let at = 0; at < 512; at += 2) made.free(made.block(block) + at);
  }
  made.mem.allocHooks.directReclaim = function* (): Blocking<number> {
    yield "reclaim";
    return 1;
  };
  const gfp = GFP_HIGHUSER_MOVABLE | GFP.retryMayfail;
  assert.deepEqual(allocate(made, gfp, HUGE), ["no_progress"]);
  const retries = made.trace.lines.filter((line) => line.startsWith("compact_retry"));
  assert.deepEqual(retries, [
    "compact_retry: order=9 priority=COMPACT_PRIO_SYNC_LIGHT compaction_result=withdrawn " +
      "retries=0 max_retries=4 should_retry=0",
  ]);
});

test("a small block is asked of reclaim first, then compacted for down to the last priority", () => {
  const made = withSlowPath(new HandMadeZone(4));
  for (let at = 0; at < 512; at += 2) made.free(made.block(2) + at);
  let reclaimed = 0;
  made.mem.allocHooks.directReclaim = function* (): Blocking<number> {
    yield "reclaim";
    return ++reclaimed;
  };
  assert.deepEqual(allocate(made, GFP_HIGHUSER_MOVABLE | GFP.thisNode, 1), ["no_progress"]);
  const tries = made.compactionTrace.filter((line) => line.includes("try_to_compact"));
  assert.deepEqual(
    tries.map((line) => line.slice(-1)),
    ["1", "0"],
  );
  assert.equal(reclaimed, 2);
});

test("kswapd is woken first, reclaim asked then, and the last resort last", () => {
  const made = withSlowPath(new HandMadeZone(2, MARKS));
  for (let at = 0; at < 4; at++) made.free(made.block(1) + 2 * at);
  const { allocHooks } = made.mem;
  const told: string[] = [];
  allocHooks.wakeKswapd = (zone, order) => told.push(`kswapd ${zone.type} ${order}`);
  allocHooks.directReclaim = function* (): Blocking<number> {
    yield "reclaim";
    told.push("reclaim");
    return 0;
  };
  allocHooks.outOfMemory = () => {
    told.push("kill");
    for (let at = 64; at < 80; at += 2) made.free(made.block(1) + at);
    return true;
  };
  const take = (): unknown => allocate(made, GFP_KERNEL, 0);
  assert.deepEqual([typeof take(), typeof take()], ["number", "number"]);
  assert.deepEqual(told, ["kswapd Normal 0", "kswapd Normal 0"], "below the low mark");
  told.length = 0;
  assert.equal(typeof take(), "number");
  const round = ["kswapd Normal 0", "reclaim"];
  assert.deepEqual(told, ["kswapd Normal 0", ...round, "kill", "kswapd Normal 0"]);
  allocHooks.outOfMemory = null;
  for (let more = 0; more < 7; more++) take();
  assert.deepEqual(take(), ["out_of_memory"]);
});

test("reclaim is worth another round while the zone would be well were all reclaimable free", () => {
  const made = withSlowPath(new HandMadeZone(2, MARKS));
  const { allocHooks } = made.mem;
  let rounds = 0;
  allocHooks.directReclaim = function* (): Blocking<number> {
    yield "reclaim";
    rounds++;
    return 0;
  };
  allocHooks.reclaimablePages = () => 100;
  assert.deepEqual(allocate(made, GFP_KERNEL, 0), ["out_of_memory"]);
  assert.equal(rounds, 17, "the first and 16 more");
  rounds = 0;
  allocHooks.reclaimablePages = () => 1;
  assert.deepEqual(allocate(made, GFP_KERNEL, 0), ["out_of_memory"]);
  assert.equal(rounds, 1);
});
