/** Machines by their size: set up as a kernel sets itself up at boot, and usable at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError } from "../base/input-error.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { createMachine, type MachineOptions } from "./create-machine.ts";
import { freeBlocksByOrder } from "./free-blocks.ts";
import { checkInvariants } from "./invariants.ts";
import { teardown } from "./teardown.ts";

test("a gigabyte has the watermarks and the per-CPU lists that a kernel gives it", () => {
  const { mem } = createMachine({ memoryMiB: 1024, cpusPerNode: 2, contents: "tokens" });
  const [{ watermarkMin, watermarkLow, watermarkHigh, pcp, managed }] = mem.zones;
  // min_free_kbytes is 4 * sqrt(1 GiB in KiB) = 4096, and the gap a thousandth of the zone, which
  // is more than a quarter of that.
  assert.deepEqual([watermarkMin, watermarkLow, watermarkHigh], [1024, 1286, 1548]);
  assert.deepEqual(
    pcp.map(({ high, batch }) => [high, batch]),
    [
      [643, 63],
      [643, 63],
    ],
  );
  assert.equal(managed, 1 << 18);
});

test("small machines keep a quarter of the lowest mark between marks, large ones a thousandth", () => {
  const marks = (memoryMiB: number): number[] => {
    const [zone] = createMachine({ memoryMiB, contents: "tokens" }).mem.zones;
    return [zone.watermarkMin, zone.watermarkLow, zone.watermarkHigh];
  };
  assert.deepEqual(marks(4), [64, 80, 96]);
  assert.deepEqual(marks(1 << 14), [4096, 4096 + 4194, 4096 + 8388]);
});

test("nodes share the memory and its reserve, each with processors of its own", () => {
  const machine = createMachine({ memoryMiB: 96, nodes: 3, cpusPerNode: 2, kernel: "6.3" });
  const { mem, vm } = machine;
  assert.deepEqual(
    mem.zones.map(({ startPfn }) => startPfn),
    [0, 8192, 16_384],
  );
  assert.deepEqual(mem.nodeOfCpu, [0, 0, 1, 1, 2, 2]);
  assert.deepEqual(mem.nodes[1].distances, [20, 10, 20]);
  assert.equal(mem.profile.release, "6.3");
  // Frame 0 breaks the first of the largest blocks up.
  assert.deepEqual(freeBlocksByOrder(machine), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 23]);
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(1));
  assert.equal(runToEnd(writeUser(vm, mm, startVpn, 1023, 7)), "done");
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 1023)), 7);
  checkInvariants(machine);
  teardown(machine);
});

test("a machine that cannot be is refused, and what it should be is said", () => {
  const refused: [MachineOptions, RegExp][] = [
    [{ memoryMiB: 0 }, /memoryMiB: found 0/],
    [{ memoryMiB: 6 }, /memoryMiB: found 6, expected a multiple of 4/],
    [{ memoryMiB: 12, nodes: 2 }, /for each of 2 nodes/],
    [{ memoryMiB: Number.NaN }, /found NaN/],
    [{ memoryMiB: 2 ** 23, contents: "tokens" }, /4 TiB at most/],
    [{ memoryMiB: 16, nodes: 0 }, /nodes: found 0/],
    [{ memoryMiB: 16, cpusPerNode: 1.5 }, /cpusPerNode: found 1.5/],
    [{ memoryMiB: 16, distances: [[10, 20]] }, /distances: found rows of 2, expected 1 rows of 1/],
  ];
  for (const [options, message] of refused) {
    assert.throws(
      () => createMachine(options),
      (error) => {
        return error instanceof InputError && message.test(error.message);
      },
    );
  }
});
