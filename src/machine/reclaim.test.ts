/** Processes that use more than there is: nothing is lost, and nothing leaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import type { SmallMemoryShape } from "../memory/small-memory.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import type { Mm, Vma } from "../vm/mm.ts";
import { cachedFolio } from "../vm/small-vm.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

const PAGES = 256;

const SHAPE: SmallMemoryShape = {
  pageCount: PAGES,
  zones: [{ startPfn: 0, spanned: PAGES, watermarkMin: 8, watermarkLow: 12, watermarkHigh: 16 }],
};

function withSwap(machine: Machine, slots: number): Machine {
  const device = new RamSwap(machine.mem, slots);
  machine.swapOn({ name: "a swap area", priority: 0, slots, device });
  assert.equal(machine.reclaim.canReclaimAnon, true);
  return machine;
}

function mapProcess({ vm }: Machine, pages: number): { mm: Mm; vma: Vma } {
  const mm = vm.createMm("a process");
  return { mm, vma: vm.mapAnonymous(mm, mm.freeRange(pages)) };
}

for (const contents of ["tokens", "bytes"] as const) {
  test(`a process that writes three times its memory reads all of it back: ${contents}`, () => {
    const frames = contents === "bytes" ? { frames: byteFrames(PAGES) } : {};
    const machine = withSwap(smallMachine({ ...SHAPE, ...frames }), 4 * PAGES);
    const { vm } = machine;
    const { mm, vma } = mapProcess(machine, 3 * PAGES);
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < 3 * PAGES; at++) {
        assert.equal(runToEnd(writeUser(vm, mm, vma.startVpn + at, 0, 7000 + round + at)), "done");
      }
      checkInvariants(machine);
    }
    for (let at = 0; at < 3 * PAGES; at++) {
      assert.equal(runToEnd(readUser(vm, mm, vma.startVpn + at, 0)), 7001 + at, `page ${at}`);
    }
    checkInvariants(machine);
    const counts = machine.mem.events.vmstat.snapshot();
    assert.ok(counts.allocstall_movable > 0 && counts.pgsteal_anon > 3 * PAGES);
    assert.equal(counts.pgsteal_anon, counts.pgsteal_direct);
    assert.ok(counts.workingset_refault_anon > 0, "pages that come back are told from new ones");
    teardown(machine);
  });
}

test("page cache that is used once goes before a process's pages", () => {
  const machine = withSwap(smallMachine(SHAPE), PAGES);
  const { vm } = machine;
  const file = vm.cache.createMapping("a file", {});
  for (let at = 0; at < 200; at++) cachedFolio(vm, file, at, at);
  const { mm, vma } = mapProcess(machine, 180);
  for (let at = 0; at < 180; at++) {
    assert.equal(runToEnd(writeUser(vm, mm, vma.startVpn + at, 0, at)), "done");
  }
  const counts = machine.mem.events.vmstat.snapshot();
  assert.ok(counts.pgsteal_file >= 100, `${counts.pgsteal_file} of 200`);
  assert.ok(counts.pgsteal_file > 4 * counts.pgsteal_anon, `${counts.pgsteal_anon} anonymous`);
  checkInvariants(machine);
  teardown(machine);
});

test("without swap a process that needs more than there is ends, with everything else in place", () => {
  const machine = smallMachine(SHAPE);
  assert.equal(machine.reclaim.canReclaimAnon, false);
  const { vm } = machine;
  const { mm, vma } = mapProcess(machine, 2 * PAGES);
  let written = 0;
  while (runToEnd(writeUser(vm, mm, vma.startVpn + written, 0, written)) === "done") written++;
  assert.ok(written > PAGES - 20 && written < PAGES, `${written} pages`);
  for (let at = 0; at < written; at++) {
    assert.equal(runToEnd(readUser(vm, mm, vma.startVpn + at, 0)), at);
  }
  checkInvariants(machine);
  teardown(machine);
});
