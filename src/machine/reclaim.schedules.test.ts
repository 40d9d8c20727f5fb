/** Processes, kswapd and slow swap at once: nothing is lost, and nothing leaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kswapd, stopKswapd } from "../callers/reclaim/kswapd.ts";
import { SlowDevice } from "../pagecache/device/block-device.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runTasks } from "../sched/run.ts";
import { Task } from "../sched/task.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

const PAGES = 256;

function newMachine(): Machine {
  const machine = smallMachine({
    pageCount: PAGES,
    zones: [{ startPfn: 0, spanned: PAGES, watermarkMin: 12, watermarkLow: 24, watermarkHigh: 40 }],
  });
  const slots = 4 * PAGES;
  const device = new SlowDevice(new RamSwap(machine.mem, slots), machine.clock, {
    seed: 3,
    latencyMin: 20_000,
    latencyMax: 200_000,
    errorProbability: 0,
  });
  machine.swapOn({ name: "a slow swap area", priority: 0, slots, device });
  return machine;
}

/** Writes to each of its pages, and reads all of them back, twice. */
function* useMemory({ vm }: Machine, name: string, pages: number): Blocking<void> {
  const mm = vm.createMm(name);
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(pages));
  for (let round = 0; round < 2; round++) {
    for (let at = 0; at < pages; at++) {
      const wanted = mm.id * 100_000 + round * 10_000 + at;
      assert.equal(yield* writeUser(vm, mm, startVpn + at, 0, wanted), "done");
    }
    for (let at = 0; at < pages; at++) {
      const wanted = mm.id * 100_000 + round * 10_000 + at;
      assert.equal(yield* readUser(vm, mm, startVpn + at, 0), wanted, `${name} page ${at}`);
    }
  }
}

test("two processes, kswapd and slow swap: each reads back what it wrote", () => {
  const machine = newMachine();
  const { reclaim, clock } = machine;
  const [node] = reclaim.nodes;
  let left = 2;
  function* process(name: string): Blocking<void> {
    yield* useMemory(machine, name, 200);
    if (--left === 0) stopKswapd(node);
  }
  const tasks = [
    new Task("kswapd0", kswapd(reclaim, node)),
    new Task("first", process("first")),
    new Task("second", process("second")),
  ];
  runTasks(tasks, clock);
  while (clock.advance());
  checkInvariants(machine);
  const counts = machine.mem.events.vmstat.snapshot();
  assert.ok(counts.pgsteal_kswapd > 0, "kswapd frees");
  assert.ok(counts.pswpout > 0 && counts.pswpin > 0, "swap is used both ways");
  assert.ok(counts.pgrotated > 0, "what has been written comes first");
  teardown(machine);
});
