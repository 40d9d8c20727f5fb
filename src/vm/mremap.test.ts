import assert from "node:assert/strict";
import { test } from "node:test";
import { folioEntireMapcount, folioMapcount } from "../memory/folio.ts";
import { folioGet } from "../memory/folio-ref.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { createArgStack, setupArgPages } from "./exec-stack.ts";
import { readUser, writeUser } from "./fault.ts";
import { tryToMigrate } from "./migration-entry.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { MREMAP, mremap } from "./mremap.ts";
import { NO_ENTRY, TASK_SIZE_PAGES } from "./page-tables.ts";
import { protectRange } from "./protect.ts";
import { PTE, PTE_MIGRATION } from "./pte.ts";
import { rmapEntry } from "./rmap.ts";
import { cachedFolio, hugePage, mapFilePage, smallVm, touchPage } from "./small-vm.ts";
import type { Vm } from "./vm.ts";
import { exitMm, unmapRange } from "./zap.ts";

const AT = 0x200;

/** A process with four pages at AT that hold 10, 11, 12, 13. */
function fourPages(vmFlags: number = VM.read | VM.write): { vm: Vm; mm: Mm; vma: Vma } {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, { startVpn: AT, endVpn: AT + 4, pgoff: AT }, vmFlags);
  for (let at = 0; at < 4; at++) touchPage(vm, vma, AT + at, 10 + at);
  return { vm, mm, vma };
}

function remap(
  { vm, mm }: { vm: Vm; mm: Mm },
  [oldPages, newPages]: [number, number],
  flags = 0,
  newVpn?: number,
  vpn: number = AT,
): unknown {
  const to = newVpn === undefined ? {} : { newVpn };
  return runToEnd(mremap(vm, mm, { vpn, oldPages, newPages, flags, ...to }));
}

function read({ vm, mm }: { vm: Vm; mm: Mm }, vpn: number, pages: number): unknown[] {
  return Array.from({ length: pages }, (_, at) => runToEnd(readUser(vm, mm, vpn + at, 0)));
}

function stretches(mm: Mm): [number, number, number][] {
  return mm.vmas.map(({ startVpn, endVpn, pgoff }) => [startVpn, endVpn, pgoff]);
}

test("a mapping shrinks where it is, and grows where nothing follows", () => {
  const world = fourPages();
  assert.equal(remap(world, [4, 2]), AT);
  assert.deepEqual(read(world, AT, 3), [10, 11, "SIGSEGV"]);
  assert.equal(world.mm.rssPages, 2);
  assert.equal(remap(world, [2, 5]), AT);
  assert.deepEqual(read(world, AT, 5), [10, 11, 0, 0, 0]);
  assert.equal(remap(world, [5, 5]), AT);
  assert.deepEqual(stretches(world.mm), [[AT, AT + 5, AT]]);
});

test("what cannot grow where it is moves if it may, with its pages and their offsets", () => {
  const world = fourPages();
  const { vm, mm, vma } = world;
  vm.mapAnonymous(mm, { startVpn: AT + 5, endVpn: AT + 6, pgoff: AT + 5 });
  const folio = vm.tables.pfn(mm.directory.find(AT + 2));
  assert.equal(remap(world, [4, 6]), "ENOMEM");
  assert.equal(remap(world, [4, 5]), AT, "one page is free behind it");
  const to = remap(world, [5, 6], MREMAP.mayMove);
  assert.ok(typeof to === "number" && to > AT);
  assert.deepEqual(read(world, to, 6), [10, 11, 12, 13, 0, 0]);
  assert.equal(runToEnd(readUser(vm, mm, AT, 0)), "SIGSEGV");
  const moved = mm.vmaAt(to);
  assert.ok(moved !== null && moved !== vma);
  assert.equal(moved.pgoff, AT);
  const entry = rmapEntry(moved, vm.mem.index[folio]);
  assert.equal(vm.tables.pfn(entry), folio, "the reverse map finds it at the new place");
  assert.deepEqual([mm.rssPages, vm.mem.mapcount[folio], vm.mem.refcount[folio]], [4, 1, 1]);
  runToEnd(exitMm(vm, mm));
  assert.deepEqual([vm.tables.leavesInUse, vm.mem.refcount[folio]], [0, 0]);
});

test("a part of a mapping moves to a given place, over whatever was there", () => {
  const world = fourPages();
  const { vm, mm } = world;
  const other = vm.mapAnonymous(mm, { startVpn: 0x800, endVpn: 0x804, pgoff: 0x800 });
  touchPage(vm, other, 0x801, 99);
  const flags = MREMAP.mayMove | MREMAP.fixed;
  assert.equal(remap(world, [2, 2], flags, 0x801, AT + 1), 0x801);
  assert.deepEqual(stretches(mm), [
    [AT, AT + 1, AT],
    [AT + 3, AT + 4, AT + 3],
    [0x800, 0x801, 0x800],
    [0x801, 0x803, AT + 1],
    [0x803, 0x804, 0x803],
  ]);
  assert.deepEqual(read(world, 0x801, 2), [11, 12]);
  assert.equal(mm.rssPages, 4);
  assert.equal(remap(world, [2, 1], flags, 0x900, 0x801), 0x900, "shorter at the new place");
  assert.deepEqual(read(world, 0x900, 2), [11, "SIGSEGV"]);
  assert.equal(mm.rssPages, 3);
});

test("moved entries are soft-dirty and else as they were, a moving page's and the zero page's too", () => {
  const world = fourPages();
  const { vm, mm, vma } = world;
  const { tables, mem } = vm;
  const entry = mm.directory.find(AT);
  const folio = mem.pfn(tables.pfn(entry));
  tables.set(entry, folio, PTE.present | PTE.write);
  const moving = pageAt(vm, mm, AT + 1);
  folioGet(mem, moving);
  mem.flags[moving] |= PG.locked;
  runToEnd(tryToMigrate(vm, moving));
  const migrating = tables.bits(mm.directory.find(AT + 1));
  runToEnd(mremap(vm, mm, { vpn: AT, oldPages: 4, newPages: 5, flags: 0 }));
  assert.equal(runToEnd(readUser(vm, mm, AT + 4, 0)), 0);
  const zero = tables.bits(mm.directory.find(AT + 4));
  const flags = MREMAP.mayMove | MREMAP.fixed;
  assert.equal(remap(world, [5, 5], flags, 0xa00), 0xa00);
  const bits = (vpn: number): number => tables.bits(mm.directory.find(vpn));
  assert.equal(bits(0xa00), PTE.present | PTE.write | PTE.softDirty);
  assert.equal(bits(0xa01), migrating | PTE.softDirty);
  assert.ok((bits(0xa01) & PTE_MIGRATION) !== 0);
  assert.equal(bits(0xa04), zero | PTE.softDirty);
  assert.equal(mm.rssPages, 4);
  assert.deepEqual([...(vma.anonVma?.vmas ?? [])], [mm.vmaAt(0xa00)]);
});

function pageAt(vm: Vm, mm: Mm, vpn: number): ReturnType<typeof cachedFolio> {
  return touchPage(vm, vmaOf(mm, vpn), vpn, 11).folio;
}

function vmaOf(mm: Mm, vpn: number): Vma {
  const vma = mm.vmaAt(vpn);
  assert.ok(vma !== null);
  return vma;
}

test("with DONTUNMAP the old place stays, empty and no longer locked", () => {
  const world = fourPages(VM.read | VM.write | VM.locked);
  const { vm, mm, vma } = world;
  const to = remap(world, [4, 4], MREMAP.mayMove | MREMAP.dontUnmap);
  assert.ok(typeof to === "number");
  assert.deepEqual(read(world, to, 4), [10, 11, 12, 13]);
  assert.deepEqual(read(world, AT, 4), [0, 0, 0, 0]);
  assert.equal(vma.flags & VM.locked, 0);
  assert.ok((vmaOf(mm, to).flags & VM.locked) !== 0);
  assert.equal(vm.mem.nodes[0].mlockedPages, 4);
});

test("a locked mapping that grows gets its new pages at once", () => {
  const world = fourPages(VM.read | VM.write | VM.locked);
  assert.equal(remap(world, [4, 6]), AT);
  assert.equal(world.mm.rssPages, 6);
});

test("a shared mapping of a file moves, and of length 0 is mapped a second time", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const { mm, vpn, folio } = mapFilePage(vm, mapping, cachedFolio(vm, mapping, 3, 7));
  const world = { vm, mm };
  const to = remap(world, [0, 1], MREMAP.mayMove, undefined, vpn);
  assert.ok(typeof to === "number" && to !== vpn);
  assert.deepEqual([mm.vmas.length, vmaOf(mm, to).pgoff], [2, 3]);
  assert.equal(vm.mem.mapcount[folio], 1, "the second is faulted in by use");
  const again = remap(world, [1, 1], MREMAP.mayMove | MREMAP.fixed, 0xc00, vpn);
  assert.equal(again, 0xc00);
  assert.deepEqual(read(world, 0xc00, 1), [7]);
  assert.equal(vm.fileVmas[mapping.id].size, 2);
  assert.equal(remap(fourPages(), [0, 1], MREMAP.mayMove), "EINVAL", "private memory cannot");
});

test("what mremap refuses", () => {
  const world = fourPages();
  const { mayMove, fixed, dontUnmap } = MREMAP;
  assert.equal(remap(world, [4, 4], 8), "EINVAL", "a flag that is none");
  assert.equal(remap(world, [4, 0]), "EINVAL");
  assert.equal(remap(world, [4, 4], fixed, 0x800), "EINVAL", "fixed without may move");
  assert.equal(remap(world, [4, 4], dontUnmap), "EINVAL");
  assert.equal(remap(world, [4, 5], mayMove | dontUnmap), "EINVAL", "another length");
  assert.equal(remap(world, [4, 4], mayMove | fixed), "EINVAL", "no place");
  assert.equal(remap(world, [4, 4], mayMove | fixed, AT + 3), "EINVAL", "overlaps the old place");
  assert.equal(remap(world, [4, 4], mayMove | fixed, AT - 3), "EINVAL");
  assert.equal(remap(world, [4, 4], mayMove | fixed, TASK_SIZE_PAGES - 3), "EINVAL");
  assert.equal(remap(world, [1, 2], mayMove, undefined, AT - 1), "EFAULT", "nothing there");
  assert.equal(remap(world, [5, 6], mayMove), "EFAULT", "longer than the mapping");
  world.vma.flags |= VM.io;
  assert.equal(remap(world, [4, 5], mayMove), "EFAULT", "device memory does not grow");
  assert.deepEqual(read(world, AT, 4), [10, 11, 12, 13]);
  assert.equal(world.mm.mmapLock.held, false);
});

test("unmapping and protecting parts of mappings splits them, and nothing else", () => {
  const world = fourPages();
  const { vm, mm } = world;
  assert.equal(runToEnd(protectRange(vm, mm, AT + 1, AT + 3, VM.read)), "done");
  assert.deepEqual(
    mm.vmas.map(({ startVpn, endVpn, flags }) => [startVpn - AT, endVpn - AT, flags]),
    [
      [0, 1, VM.read | VM.write],
      [1, 3, VM.read],
      [3, 4, VM.read | VM.write],
    ],
  );
  const write = (at: number): unknown => runToEnd(writeUser(vm, mm, AT + at, 0, 20 + at));
  assert.deepEqual([0, 1, 2, 3].map(write), ["done", "SIGSEGV", "SIGSEGV", "done"]);
  assert.deepEqual(read(world, AT, 4), [20, 11, 12, 23]);
  runToEnd(unmapRange(vm, mm, AT + 2, AT + 2));
  assert.equal(mm.vmas.length, 3, "nothing is asked for");
  runToEnd(unmapRange(vm, mm, AT + 2, AT + 4));
  assert.deepEqual(read(world, AT, 4), [20, 11, "SIGSEGV", "SIGSEGV"]);
  assert.equal(runToEnd(protectRange(vm, mm, AT, AT + 4, VM.read | VM.write)), "ENOMEM");
  assert.equal(runToEnd(writeUser(vm, mm, AT + 1, 0, 31)), "done", "changed before the hole");
});

test("a new program's stack goes down with its arguments, and is memory like any other then", () => {
  const vm = smallVm();
  const mm = vm.createMm("a new program");
  const stack = createArgStack(vm, mm, 0x603, 0x606);
  for (let at = 0; at < 3; at++) touchPage(vm, stack, 0x603 + at, 40 + at);
  const { folio } = touchPage(vm, stack, 0x604, 41);
  runToEnd(tryToMigrate(vm, folio));
  assert.equal(vm.mem.mapcount[folio], 1, "left alone");
  runToEnd(setupArgPages(vm, stack, 2));
  assert.deepEqual(stretches(mm), [[0x601, 0x604, 0x603]]);
  assert.deepEqual(read({ vm, mm }, 0x601, 4), [40, 41, 42, "SIGSEGV"]);
  assert.equal(vm.tables.pfn(rmapEntry(stack, vm.mem.index[folio])), folio);
  folioGet(vm.mem, folio);
  vm.mem.flags[folio] |= PG.locked;
  runToEnd(tryToMigrate(vm, folio));
  assert.equal(vm.mem.mapcount[folio], 0);
  assert.throws(() => runToEnd(setupArgPages(vm, stack, 1)), /not the stack of a new program/);
});

test("a huge page moves whole between aligned places, and in pieces otherwise", () => {
  for (const { newVpn, isWhole } of [
    { newVpn: 0x4000, isWhole: true },
    { newVpn: 0x4001, isWhole: false },
  ]) {
    const vm = smallVm({ pageCount: 4096 });
    const { mm, vpn, folio } = hugePage(vm, 7);
    const request = { vpn, oldPages: 512, newPages: 512, newVpn };
    const flags = MREMAP.mayMove | MREMAP.fixed;
    assert.equal(runToEnd(mremap(vm, mm, { ...request, flags })), newVpn);
    assert.equal(mm.directory.findHuge(newVpn) !== NO_ENTRY, isWhole);
    assert.equal(folioEntireMapcount(vm.mem, folio), isWhole ? 1 : 0);
    assert.equal(folioMapcount(vm.mem, folio), isWhole ? 1 : 512);
    assert.equal(runToEnd(readUser(vm, mm, newVpn, 0)), 7);
    assert.equal(mm.rssPages, 512);
    runToEnd(exitMm(vm, mm));
    assert.equal(vm.mem.refcount[folio], 0);
  }
});
