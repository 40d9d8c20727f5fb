/** shmem on a swap device that takes its time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { PG } from "../../memory/page-flags.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import type { BlockRequest } from "../../pagecache/device/block-device.ts";
import { truncateFile } from "../../pagecache/truncate.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { assertFinished, runToEnd } from "../../sched/run.ts";
import { Task } from "../../sched/task.ts";
import { readUser, writeUser } from "../../vm/fault.ts";
import { endProcesses, smallVm } from "../../vm/small-vm.ts";
import { pageOut, smallSwap } from "../../vm/swap/small-swap.ts";
import { RamSwap } from "../../vm/swap/swap-device.ts";
import { Shmem } from "./shmem.ts";

/** A page of shmem that holds 1 and is being written to swap, until `end`. */
function pageUnderWriteback() {
  const vm = smallVm();
  const shmem = new Shmem(vm);
  const inner = new RamSwap(vm.mem, 4);
  const held: BlockRequest[] = [];
  const device = { ...inner, submit: (request: BlockRequest) => void held.push(request) };
  const area = smallSwap(vm, migrateFolio, { slots: 4, device });
  const file = shmem.createFile("shm", PAGE_SIZE);
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapFile(mm, { ...mm.freeRange(1), pgoff: 0 }, file);
  assert.equal(runToEnd(writeUser(vm, mm, startVpn, 0, 1)), "done");
  lruAddDrain(vm.mem);
  const folio = file.folios.load(0);
  assert.ok(folio !== null);
  assert.equal(runToEnd(pageOut(vm, folio)), "cached");
  assert.notEqual(vm.mem.flags[folio] & PG.writeback, 0);
  function* end(): Blocking<void> {
    yield "device-writes";
    for (const request of held) inner.submit(request);
  }
  return { vm, area, file, mm, startVpn, end };
}

/** Each runs to its end or its sleep before the next does. */
function runInOrder(tasks: readonly Task[]): void {
  for (let round = 0; round < 3; round++) {
    for (const task of tasks) while (task.state === "runnable") task.step();
  }
  assertFinished(tasks);
}

test("who wants a page that is being written has it when it is written", () => {
  const { vm, area, file, mm, startVpn, end } = pageUnderWriteback();
  const read: unknown[] = [];
  function* use(): Blocking<void> {
    read.push(yield* readUser(vm, mm, startVpn, 0));
  }
  runInOrder([new Task("reader", use()), new Task("device", end())]);
  assert.deepEqual([read, file.folios.pageCount, area.slotsInUse], [[1], 1, 0]);
});

test("a page that is cut off while somebody waits for its write does not come back", () => {
  const { vm, area, file, mm, startVpn, end } = pageUnderWriteback();
  const read: unknown[] = [];
  function* use(): Blocking<void> {
    read.push(yield* readUser(vm, mm, startVpn, 0));
  }
  const cut = truncateFile(vm.mem, file, 0) as Blocking<unknown> as Blocking<void>;
  runInOrder([new Task("reader", use()), new Task("cutter", cut), new Task("device", end())]);
  assert.deepEqual([read, file.folios.pageCount, file.swapped?.size], [["SIGBUS"], 0, 0]);
  // The folio stays in the swap cache until reclaim meets it, and its slot with it.
  assert.equal(area.count(1), 0);
  assert.equal(endProcesses(vm), 1);
});
