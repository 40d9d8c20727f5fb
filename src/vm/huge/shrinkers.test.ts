/** What huge pages give back to a machine that is short of memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { folioIsolateLru, folioPutbackLru, lruAddDrain } from "../../memory/lru.ts";
import { PG } from "../../memory/page-flags.ts";
import { SHRINK_STOP, type Shrinker } from "../../memory/shrinker.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser } from "../fault.ts";
import { VM } from "../mm.ts";
import { endProcesses, hugePage, smallVm, type UserPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { exitMm, unmapRange } from "../zap.ts";
import { splitDeferredFolios } from "./shrinkers.ts";

/** A process with the lower half of a huge page, which holds `value`. */
function halfPage(vm: Vm, value: number): UserPage {
  const page = hugePage(vm, value);
  runToEnd(unmapRange(vm, page.mm, page.vpn + 256, page.vpn + 512));
  return page;
}

function newScene(pages: number): { vm: Vm; halves: UserPage[] } {
  const vm = smallVm({ pageCount: 4096 });
  return { vm, halves: Array.from({ length: pages }, (_, at) => halfPage(vm, at + 1)) };
}

function named(vm: Vm, name: string): Shrinker {
  const shrinker = vm.mem.shrinkers.find((each) => each.name === name);
  assert.ok(shrinker !== undefined);
  return shrinker;
}

test("the queue is split from its head, and what nobody maps is free at once", () => {
  const { vm, halves } = newScene(3);
  const [zone] = vm.mem.zones;
  const before = zone.freePages;
  const shrinker = named(vm, "thp-deferred_split");
  assert.equal(shrinker.countObjects(vm.mem, 0), 3);
  assert.equal(runToEnd(shrinker.scanObjects(vm.mem, 0, 2)), 2);
  assert.equal(zone.freePages, before + 512);
  assert.equal(shrinker.countObjects(vm.mem, 0), 1);
  assert.notEqual(vm.mem.flags[halves[2].folio] & PG.head, 0, "the last one is whole");
  for (const [at, { mm, vpn }] of halves.entries()) {
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), at + 1);
  }
  assert.equal(vm.mem.events.vmstat.counts[VM_EVENT.thp_deferred_split_page], 3, "none twice");
  assert.equal(endProcesses(vm), 0);
});

test("one that is held, locked or isolated stays, behind those that came meanwhile", () => {
  const { vm, halves } = newScene(3);
  const { mem } = vm;
  const [held, locked, isolated] = halves.map(({ folio }) => folio);
  folioGet(mem, held);
  mem.flags[locked] |= PG.locked;
  assert.ok(folioIsolateLru(mem, isolated));
  assert.equal(runToEnd(splitDeferredFolios(vm, 0, 9)), 0);
  assert.equal(mem.nodes[0].deferredSplitCount, 3);
  assert.deepEqual(
    [held, locked, isolated].map((folio) => mem.refcount[folio]),
    [257, 256, 257],
  );
  folioPut(mem, held);
  mem.flags[locked] &= ~PG.locked;
  folioPutbackLru(mem, isolated);
  lruAddDrain(mem);
  assert.equal(runToEnd(splitDeferredFolios(vm, 0, 9)), 3);
  assert.equal(endProcesses(vm), 0);
});

test("an empty queue tells reclaim to stop", () => {
  const { vm } = newScene(0);
  assert.equal(runToEnd(splitDeferredFolios(vm, 0, 9)), SHRINK_STOP);
});

test("the huge zero page is an object of 512 pages once nobody has it", () => {
  const vm = smallVm({ pageCount: 4096 });
  const mm = vm.createMm("reader");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(512), VM.read | VM.hugepage);
  const shrinker = named(vm, "thp-zero");
  assert.equal(shrinker.countObjects(vm.mem, 0), 0);
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  assert.equal(shrinker.countObjects(vm.mem, 0), 0);
  runToEnd(exitMm(vm, mm));
  assert.equal(shrinker.countObjects(vm.mem, 0), 512);
  assert.equal(runToEnd(shrinker.scanObjects(vm.mem, 0, 512)), 512);
  assert.equal(vm.hugeZero.folio, null);
  assert.equal(endProcesses(vm), 0);
});
