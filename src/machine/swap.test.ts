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
import { unmapVma } from "../vm/zap.ts";
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

test("shared memory goes by way of reclaim too, and nothing of it is left with its last process", () => {
  const scene = newScene();
  const { machine, mm, fast, slow } = scene;
  const { mem, vm } = machine;
  const shared = vm.mapSharedAnonymous(mm, mm.freeRange(6));
  for (let at = 0; at < 6; at++) touchPage(vm, shared, shared.startVpn + at, at);
  const filled = fillContents(machine, SEED);
  const advise = (): unknown =>
    runToEnd(madvise(vm, mm, shared.startVpn, shared.endVpn, "MADV_PAGEOUT"));
  advise();
  assert.equal(shared.mapping?.swapped?.size, 6);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: PAGES + 6, mismatched: 0 });
  for (let at = 0; at < 3; at++) runToEnd(readUser(vm, mm, shared.startVpn + at, 0));
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: PAGES + 6, mismatched: 0 });
  checkInvariants(machine);
  runToEnd(unmapVma(vm, shared));
  assert.deepEqual([fast.slotsInUse, slow.slotsInUse, mem.nodes[0].shmemPages], [0, 0, 0]);
  teardown(machine);
});

test("teardown gives back the slots of files that nobody maps", () => {
  const { machine, mm } = newScene();
  const { vm } = machine;
  const file = vm.shmem?.createFile("tmpfs", 4096);
  assert.ok(file !== undefined);
  const vma = vm.mapFile(mm, { ...mm.freeRange(1), pgoff: 0 }, file);
  touchPage(vm, vma, vma.startVpn, 1);
  runToEnd(madvise(vm, mm, vma.startVpn, vma.endVpn, "MADV_PAGEOUT"));
  runToEnd(unmapVma(vm, vma));
  assert.equal(file.swapped?.size, 1);
  checkInvariants(machine);
  teardown(machine);
});
