/** Huge pages that go out to swap whole, where their slots lie together, or else in pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "../vm/fault.ts";
import { madvise } from "../vm/madvise/madvise.ts";
import { HUGE_PAGES } from "../vm/page-tables.ts";
import { hugePage, type UserPage } from "../vm/small-vm.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import { fillContents, verifyContents } from "./contents.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

const SEED = 9;

/** A huge page of a machine with that many slots. */
function hugeAndSlots(slots: number): { machine: Machine; page: UserPage } {
  const machine = smallMachine({ pageCount: 4096 });
  const device = new RamSwap(machine.mem, slots);
  machine.swapOn({ name: "a swap area", slots, priority: 0, device });
  return { machine, page: hugePage(machine.vm, 1) };
}

function pageOutHuge(machine: Machine, { mm, vma }: UserPage): void {
  const advice = madvise(machine.vm, mm, vma.startVpn, vma.endVpn, "MADV_PAGEOUT");
  assert.equal(runToEnd(advice), "done");
}

test("a huge page goes out whole to one run of slots, and its pages come back one by one", () => {
  const { machine, page } = hugeAndSlots(4 * HUGE_PAGES);
  const { mm } = page;
  const { vmstat } = machine.mem.events;
  const filled = fillContents(machine, SEED);
  pageOutHuge(machine, page);
  assert.deepEqual([mm.rssPages, mm.swapEntries], [0, HUGE_PAGES]);
  const counted = vmstat.snapshot();
  assert.deepEqual([counted.thp_split_pmd, counted.thp_split_page], [1, 0]);
  assert.deepEqual([counted.thp_swpout, counted.pswpout], [1, HUGE_PAGES]);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: filled, mismatched: 0 });
  for (let at = 0; at < HUGE_PAGES; at += 100) {
    assert.equal(typeof runToEnd(readUser(machine.vm, mm, page.vpn + at, 0)), "number");
  }
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: filled, mismatched: 0 });
  checkInvariants(machine);
  teardown(machine);
});

test("without such a run it is split, and as many of its pages go out as there are slots", () => {
  const { machine, page } = hugeAndSlots(101);
  const { mm } = page;
  const filled = fillContents(machine, SEED);
  pageOutHuge(machine, page);
  assert.deepEqual([mm.rssPages, mm.swapEntries], [HUGE_PAGES - 100, 100]);
  const counted = machine.mem.events.vmstat.snapshot();
  assert.deepEqual([counted.thp_swpout, counted.thp_swpout_fallback], [0, 1]);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: filled, mismatched: 0 });
  teardown(machine);
});
