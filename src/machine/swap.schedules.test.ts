/** Swap on a device that takes its time and fails now and then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runTasks } from "../sched/run.ts";
import { Task } from "../sched/task.ts";
import { readUser } from "../vm/fault.ts";
import { madvise } from "../vm/madvise/madvise.ts";
import { anonymousPage } from "../vm/small-vm.ts";
import { RamSwap, slowSwap } from "../vm/swap/swap-device.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

const SLOTS = 16;

function slowMachine(errorProbability: number): Machine {
  const machine = smallMachine();
  const slowness = { latencyMin: 50, latencyMax: 90, errorProbability, seed: 5 };
  const device = slowSwap(new RamSwap(machine.mem, SLOTS), machine.clock, slowness);
  machine.swapOn({ name: "a slow disk", slots: SLOTS, priority: 0, device });
  return machine;
}

test("a page that is on its way out is there for its process before, while and after", () => {
  const machine = slowMachine(0);
  const { vm } = machine;
  const page = anonymousPage(vm, 7);
  const read: unknown[] = [];
  function* use(): Blocking<void> {
    yield* madvise(vm, page.mm, page.vpn, page.vpn + 1, "MADV_PAGEOUT");
    assert.notEqual(machine.mem.flags[page.folio] & PG.writeback, 0, "it is being written");
    read.push(yield* readUser(vm, page.mm, page.vpn, 0));
    machine.clock.advance();
    yield* madvise(vm, page.mm, page.vpn, page.vpn + 1, "MADV_PAGEOUT");
    read.push(yield* readUser(vm, page.mm, page.vpn, 0));
  }
  runTasks([new Task("user", use())], machine.clock);
  assert.deepEqual(read, [7, 7]);
  checkInvariants(machine);
  teardown(machine);
});

test("a page that could not be written is dirty and there, and nothing is lost", () => {
  const machine = slowMachine(1);
  const { mem, vm } = machine;
  const page = anonymousPage(vm, 7);
  const read: unknown[] = [];
  function* use(): Blocking<void> {
    yield* madvise(vm, page.mm, page.vpn, page.vpn + 1, "MADV_PAGEOUT");
    machine.clock.advance();
    const marks = mem.flags[page.folio] & (PG.dirty | PG.error | PG.writeback | PG.swapcache);
    assert.equal(marks, PG.dirty | PG.error | PG.swapcache);
    read.push(yield* readUser(vm, page.mm, page.vpn, 0));
  }
  runTasks([new Task("user", use())], machine.clock);
  assert.deepEqual(read, [7]);
  checkInvariants(machine);
  teardown(machine);
});
