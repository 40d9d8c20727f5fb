/** Merged pages and reclaim: found by their items, taken out to one slot, brought back apart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { folioTestKsm } from "../../memory/mapping-word.ts";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { folioReferenced } from "../folio-referenced.ts";
import { VM } from "../mm.ts";
import { PTE } from "../pte.ts";
import { endProcesses, smallVm, type UserPage } from "../small-vm.ts";
import { pageOut, smallSwap } from "../swap/small-swap.ts";
import type { SwapArea } from "../swap/swap-area.ts";
import { swapOff } from "../swap/swap-off.ts";
import type { Vm } from "../vm.ts";
import { zapRange } from "../zap.ts";
import { folioAt, ksmPass, mergedPages } from "./small-ksm.ts";

const USERS = 3;

interface Scene {
  readonly vm: Vm;
  readonly area: SwapArea;
  readonly pages: readonly UserPage[];
  readonly folio: Folio;
}

/** Three processes whose pages are one that holds 5, on a machine with swap. */
function newScene(): Scene {
  const vm = smallVm();
  const area = smallSwap(vm);
  const pages = mergedPages(vm, 5, USERS);
  lruAddDrain(vm.mem);
  return { vm, area, pages, folio: pages[0].folio };
}

function isOut({ vm }: Scene, { entry }: UserPage): boolean {
  return (vm.tables.bits(entry) & PTE.swap) !== 0;
}

test("a merged page goes out of every process, to one slot", () => {
  const scene = newScene();
  const { vm, area, pages, folio } = scene;
  assert.equal(runToEnd(pageOut(vm, folio)), "freed");
  assert.deepEqual(
    pages.map((page) => isOut(scene, page)),
    [true, true, true],
  );
  assert.deepEqual([area.slotsInUse, area.count(1)], [1, USERS]);
  assert.equal(endProcesses(vm), 0);
  assert.equal(area.slotsInUse, 0);
});

test("each process of a page that was merged has a page of its own once it is back", () => {
  const scene = newScene();
  const { vm, area, pages, folio } = scene;
  runToEnd(pageOut(vm, folio));
  for (const { mm, vpn } of pages) assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 5);
  const folios = pages.map(({ vma, vpn }) => folioAt(vm, vma, vpn));
  assert.equal(new Set(folios).size, USERS);
  for (const own of folios) assert.equal(folioTestKsm(vm.mem, own), false);
  lruAddDrain(vm.mem);
  // What nobody merged any more is found by its own process, and goes out again.
  for (const own of folios) assert.equal(runToEnd(pageOut(vm, own)), "freed");
  for (const [at, { mm, vpn }] of pages.entries()) {
    assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, at)), "done");
  }
  for (const [at, { mm, vpn }] of pages.entries()) {
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), at);
  }
  assert.equal(endProcesses(vm), 0);
  assert.equal(area.slotsInUse, 0);
});

test("a merged page that is still in the swap cache is mapped again as it is", () => {
  const scene = newScene();
  const { vm, pages, folio } = scene;
  const { mem } = vm;
  folioGet(mem, folio);
  assert.equal(runToEnd(pageOut(vm, folio)), "cached");
  folioPut(mem, folio);
  const [one, other] = pages;
  assert.equal(runToEnd(readUser(vm, one.mm, one.vpn, 0)), 5);
  assert.equal(folioAt(vm, one.vma, one.vpn), folio);
  assert.ok(folioTestKsm(mem, folio) && !testFlag(mem, folio, PG.anonExclusive));
  assert.equal(runToEnd(writeUser(vm, other.mm, other.vpn, 0, 6)), "done");
  assert.notEqual(folioAt(vm, other.vma, other.vpn), folio, "a write takes it apart");
  assert.equal(runToEnd(readUser(vm, one.mm, one.vpn, 0)), 5);
  assert.equal(endProcesses(vm), 0);
});

test("the folio that nobody wants once the last has copied it goes with its slot", () => {
  const scene = newScene();
  const { vm, area, pages, folio } = scene;
  runToEnd(pageOut(vm, folio));
  const [one, other, third] = pages;
  runToEnd(readUser(vm, one.mm, one.vpn, 0));
  runToEnd(zapRange(vm, one.vma, one.vpn, one.vpn + 1));
  lruAddDrain(vm.mem);
  assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), 5);
  assert.equal(vm.swap?.mapping.folios.pageCount, 1);
  assert.equal(runToEnd(writeUser(vm, third.mm, third.vpn, 1, 6)), "done");
  assert.deepEqual([vm.swap?.mapping.folios.pageCount, area.slotsInUse], [0, 0]);
  assert.equal(endProcesses(vm), 0);
});

test("without memory for a copy the process gets a signal, and the slot stays", () => {
  const scene = newScene();
  const { vm, area, pages, folio } = scene;
  runToEnd(pageOut(vm, folio));
  const [one, other] = pages;
  assert.equal(runToEnd(readUser(vm, one.mm, one.vpn, 0)), 5);
  const taken: Folio[] = [];
  for (;;) {
    const next = folioAlloc(vm.mem, movableRequest(0));
    if (next === null) break;
    taken.push(next);
  }
  assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), "SIGBUS");
  for (const each of taken) folioPut(vm.mem, each);
  assert.equal(area.count(1), 2);
  assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), 5);
});

test("what KSM merges again after swap-in is one page, known by its items", () => {
  const scene = newScene();
  const { vm, pages, folio } = scene;
  runToEnd(pageOut(vm, folio));
  for (const { mm, vpn } of pages) runToEnd(readUser(vm, mm, vpn, 0));
  for (let pass = 0; pass < 3; pass++) ksmPass(vm);
  const merged = folioAt(vm, pages[0].vma, pages[0].vpn);
  assert.equal(vm.mem.mapcount[merged], USERS);
  lruAddDrain(vm.mem);
  assert.equal(runToEnd(pageOut(vm, merged)), "freed");
});

test("swapoff brings a merged page back to each of its processes", () => {
  const scene = newScene();
  const { vm, area, pages, folio } = scene;
  runToEnd(pageOut(vm, folio));
  assert.ok(vm.swap !== null);
  assert.equal(runToEnd(swapOff(vm, vm.swap, area)), "done");
  for (const { mm, vpn } of pages) assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 5);
  assert.equal(endProcesses(vm), 0);
});

test("uses of a merged page are counted by process, and a locked one keeps it", () => {
  const { vm, pages, folio } = newScene();
  const { mem, tables } = vm;
  const [one, other, third] = pages;
  const age = ({ entry }: UserPage): void => {
    tables.set(entry, folio, tables.bits(entry) & ~PTE.young);
  };
  age(third);
  assert.equal(runToEnd(folioReferenced(vm, folio, "unlocked")).count, 2);
  assert.equal(runToEnd(folioReferenced(vm, folio, "unlocked")).count, 0);
  assert.equal(tables.bits(one.entry) & PTE.young, 0);
  other.vma.flags |= VM.locked;
  assert.equal(runToEnd(folioReferenced(vm, folio, "unlocked")).vmFlags & VM.locked, VM.locked);
  assert.ok(testFlag(mem, folio, PG.mlocked));
  runToEnd(pageOut(vm, folio));
  assert.notEqual(tables.bits(other.entry) & PTE.present, 0);
});
