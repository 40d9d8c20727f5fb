/** Slots around one that is wanted are read along, as far as that has been of use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lruAddDrain } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser } from "../fault.ts";
import type { Mm, Vma } from "../mm.ts";
import { endProcesses, smallVm, touchPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { zapRange } from "../zap.ts";
import { pageOut, smallSwap } from "./small-swap.ts";
import type { SwapArea } from "./swap-area.ts";
import { swapEntry } from "./swap-entry.ts";
import { SwapReadahead } from "./swap-readahead.ts";

interface Scene {
  readonly vm: Vm;
  readonly area: SwapArea;
  readonly mm: Mm;
  readonly vma: Vma;
}

/** A process whose pages hold their numbers, and lie in the slots from 1 on. */
function pagedOut(pages: number): Scene {
  const vm = smallVm();
  const area = smallSwap(vm, undefined, { slots: 33, rotational: true });
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(pages));
  for (let at = 0; at < pages; at++) {
    const { folio } = touchPage(vm, vma, vma.startVpn + at, at);
    assert.equal(runToEnd(pageOut(vm, folio)), "freed");
  }
  return { vm, area, mm, vma };
}

function read({ vm, mm, vma }: Scene, page: number): unknown {
  return runToEnd(readUser(vm, mm, vma.startVpn + page, 0));
}

function counts({ vm }: Scene): Record<string, number> {
  const { pgmajfault, pswpin, swap_ra, swap_ra_hit } = vm.mem.events.vmstat.snapshot();
  return { pgmajfault, pswpin, swap_ra, swap_ra_hit };
}

/** Slots that have a folio in the swap cache. */
function cachedSlots({ vm, area }: Scene): number[] {
  const slots = Array.from({ length: 32 }, (_, at) => at + 1);
  return slots.filter((slot) => vm.swap?.mapping.folios.load(swapEntry(area.id, slot)) != null);
}

test("the aligned window around a slot is read, but for the header and what nobody needs", () => {
  const scene = pagedOut(12);
  runToEnd(zapRange(scene.vm, scene.vma, scene.vma.startVpn + 5, scene.vma.startVpn + 6));
  assert.equal(read(scene, 3), 3);
  assert.deepEqual(cachedSlots(scene), [1, 2, 3, 4, 5, 7]);
  assert.deepEqual(counts(scene), { pgmajfault: 1, pswpin: 6, swap_ra: 5, swap_ra_hit: 0 });
  const ahead = scene.vm.swap?.mapping.folios.load(swapEntry(scene.area.id, 2));
  assert.ok(ahead != null);
  const state = PG.readahead | PG.uptodate | PG.swapcache | PG.lru;
  assert.equal(scene.vm.mem.flags[ahead as Folio] & state, state);
});

test("a page that was read ahead costs no read, and counts once as a hit", () => {
  const scene = pagedOut(12);
  for (const page of [3, 0, 1, 0]) assert.equal(read(scene, page), page);
  assert.deepEqual(counts(scene), { pgmajfault: 1, pswpin: 7, swap_ra: 6, swap_ra_hit: 2 });
});

test("what nobody asks for stays in the swap cache, and goes with its process or to reclaim", () => {
  const scene = pagedOut(12);
  const { vm, area } = scene;
  read(scene, 3);
  const ahead = vm.swap?.mapping.folios.load(swapEntry(area.id, 1));
  assert.ok(ahead != null);
  assert.equal(runToEnd(pageOut(vm, ahead)), "freed");
  assert.equal(read(scene, 0), 0);
  assert.equal(endProcesses(vm), 0);
  assert.equal(area.slotsInUse, 0);
});

test("an area that does not rotate reads one page", () => {
  const scene = pagedOut(4);
  Object.assign(scene.area, { rotational: false });
  read(scene, 2);
  assert.deepEqual(cachedSlots(scene), [3]);
});

test("without memory for it nothing is read ahead, and what is wanted is, if it can be", () => {
  const scene = pagedOut(12);
  const { vm } = scene;
  const hooks = vm.mem.allocHooks;
  let left = 2;
  hooks.shouldFail = () => left-- <= 0;
  assert.equal(read(scene, 3), "SIGBUS");
  assert.deepEqual(cachedSlots(scene), [1, 2]);
  hooks.shouldFail = null;
  lruAddDrain(vm.mem);
  assert.equal(read(scene, 3), 3);
});

test("the window follows the hits: at most a cluster, at least half of the last, one for chance", () => {
  const readahead = new SwapReadahead();
  const windows = (slots: number[]): number[] => slots.map((slot) => readahead.nextWindow(slot));
  assert.deepEqual(windows([100, 200, 300, 400, 401, 402]), [8, 4, 2, 1, 2, 2]);
  readahead.hits = 1;
  assert.equal(readahead.nextWindow(900), 4);
  readahead.hits = 60;
  assert.equal(readahead.nextWindow(500), 8);
  readahead.pageCluster = 0;
  assert.equal(readahead.nextWindow(501), 1);
});
