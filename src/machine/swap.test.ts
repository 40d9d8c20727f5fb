/** A whole machine that pages memory out, to several areas, and empties them again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "../vm/fault.ts";
import { forkMm } from "../vm/fork.ts";
import { madvise } from "../vm/madvise/madvise.ts";
import type { Mm, Vma } from "../vm/mm.ts";
import { touchPage } from "../vm/small-vm.ts";
import type { SwapArea } from "../vm/swap/swap-area.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import { swapOff } from "../vm/swap/swap-off.ts";
import { fillContents, verifyContents } from "./contents.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

const SEED = 3;
const PAGES = 12;

interface Scene {
  readonly machine: Machine;
  readonly fast: SwapArea;
  readonly slow: SwapArea;
  readonly mm: Mm;
  readonly vma: Vma;
}

/** Twelve pages of one process, and room for eight and sixteen of them. */
function newScene(): Scene {
  const machine = smallMachine();
  const { mem, vm } = machine;
  const area = (name: string, slots: number, priority: number): SwapArea =>
    machine.swapOn({ name, slots, priority, device: new RamSwap(mem, slots) });
  const [fast, slow] = [area("fast", 9, 5), area("slow", 17, -2)];
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(PAGES));
  for (let at = 0; at < PAGES; at++) touchPage(vm, vma, vma.startVpn + at, at);
  return { machine, fast, slow, mm, vma };
}

function pageOutAll({ machine, mm, vma }: Scene): void {
  const advice = madvise(machine.vm, mm, vma.startVpn, vma.endVpn, "MADV_PAGEOUT");
  assert.equal(runToEnd(advice), "done");
}

test("what a process says may go goes by way of reclaim, to the better area first, whole", () => {
  const scene = newScene();
  const { machine, fast, slow, mm } = scene;
  const filled = fillContents(machine, SEED);
  const free = machine.mem.zones[0].freePages;
  pageOutAll(scene);
  assert.deepEqual([mm.rssPages, mm.swapEntries], [0, PAGES]);
  assert.deepEqual([fast.slotsInUse, slow.slotsInUse], [8, 4]);
  assert.equal(machine.mem.zones[0].freePages, free + PAGES);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: PAGES, mismatched: 0 });
  teardown(machine);
});

test("swapoff brings all of an area back, from forks too, and leaves the other alone", () => {
  const scene = newScene();
  const { machine, fast, slow, mm } = scene;
  const { vm } = machine;
  const filled = fillContents(machine, SEED);
  pageOutAll(scene);
  const child = forkMm(vm, mm, "a child");
  assert.ok(child !== null && vm.swap !== null);
  assert.equal(runToEnd(swapOff(vm, vm.swap, fast)), "done");
  assert.deepEqual([fast.slotsInUse, slow.slotsInUse], [0, 4]);
  assert.deepEqual([mm.swapEntries, child.swapEntries], [4, 4]);
  assert.equal(vm.swap.areas[fast.id], null);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: PAGES, mismatched: 0 });
  teardown(machine);
});

test("swapoff without the pages to read into, or with one lost, leaves the area open", () => {
  const scene = newScene();
  const { machine, fast, mm, vma } = scene;
  const { vm } = machine;
  pageOutAll(scene);
  const { device } = fast;
  const submit = device.submit.bind(device);
  device.submit = (request) => request.done("EIO");
  assert.ok(vm.swap !== null);
  assert.equal(runToEnd(swapOff(vm, vm.swap, fast)), "ENOMEM");
  assert.equal(fast.writable, true);
  device.submit = submit;
  checkInvariants(machine);
  assert.equal(typeof runToEnd(readUser(vm, mm, vma.endVpn - 1, 0)), "number");
  teardown(machine);
});
