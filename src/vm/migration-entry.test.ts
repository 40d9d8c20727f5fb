import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../events/events.ts";
import { folioMapcount, folioMapped } from "../memory/folio.ts";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioGet, folioPut, folioTryPin } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "./fault.ts";
import { mergedPages } from "./ksm/small-ksm.ts";
import { removeMigrationPtes, tryToMigrate } from "./migration-entry.ts";
import { VM } from "./mm.ts";
import { mmuNotifierRegister } from "./mmu-notifier.ts";
import { PTE } from "./pte.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  smallVm,
  touchPage,
  type UserPage,
} from "./small-vm.ts";
import { pageOut, smallSwap } from "./swap/small-swap.ts";
import { swapEntry } from "./swap/swap-entry.ts";
import type { Vm } from "./vm.ts";

const { present, write, young, dirty, softDirty, uffdWp } = PTE;
const { migrationRead, migrationReadExclusive, migrationWrite } = PTE;

/** Locks the folio, as every mover does, and takes it out of the page tables. */
function unmap(vm: Vm, folio: Folio): void {
  folioTrylock(vm.mem, folio);
  runToEnd(tryToMigrate(vm, folio));
}

/** A new folio that has taken the source's place, as a mover's callback leaves it. */
function successor(vm: Vm, src: Folio, order = 0): Folio {
  const { mem } = vm;
  const dst = folioAlloc(mem, { ...movableRequest(0), order });
  assert.ok(dst !== null, "the memory has room");
  folioTrylock(mem, dst);
  mem.mapping[dst] = mem.mapping[src];
  mem.index[dst] = mem.index[src];
  mem.flags[dst] |= mem.flags[src] & (PG.swapbacked | PG.dirty | PG.uptodate);
  return dst;
}

function remap(vm: Vm, src: Folio, dst: Folio): void {
  runToEnd(removeMigrationPtes(vm, src, dst));
}

function bitsOf(vm: Vm, { entry }: UserPage): number {
  return vm.tables.bits(entry);
}

function isExclusive(vm: Vm, folio: Folio): boolean {
  return (vm.mem.flags[folio] & PG.anonExclusive) !== 0;
}

/** The kinds by what the entry and the page were. */
const KINDS: readonly (readonly [string, number, number, number])[] = [
  ["writable", write, PG.anonExclusive, migrationWrite],
  ["write-protected exclusive", 0, PG.anonExclusive, migrationReadExclusive],
  ["shared", 0, 0, migrationRead],
];

for (const [name, wasWritable, exclusive, kind] of KINDS) {
  test(`the entry of a ${name} anonymous page is of kind 0x${kind.toString(16)}`, () => {
    for (let kept = 0; kept < 16; kept++) {
      const vm = smallVm();
      const page = anonymousPage(vm, 1);
      const { folio, entry, mm } = page;
      vm.mem.flags[folio] = (vm.mem.flags[folio] & ~PG.anonExclusive) | exclusive;
      const bits =
        (kept & 1 ? young : 0) |
        (kept & 2 ? dirty : 0) |
        (kept & 4 ? softDirty : 0) |
        (kept & 8 && wasWritable === 0 ? uffdWp : 0);
      vm.tables.set(entry, folio, present | wasWritable | bits);
      vm.mem.refcount[folio]++;
      unmap(vm, folio);
      assert.equal(bitsOf(vm, page), kind | bits);
      assert.equal(vm.tables.pfn(entry), folio, "it names the source");
      assert.equal(isExclusive(vm, folio), false);
      assert.equal((vm.mem.flags[folio] & PG.dirty) !== 0, (bits & dirty) !== 0);
      assert.deepEqual([vm.mem.mapcount[folio], vm.mem.refcount[folio]], [0, 1]);
      assert.equal(mm.rssPages, 1, "the process still has the page");
    }
  });

  test(`a ${name} page comes back with what it had, at the new frame`, () => {
    const vm = smallVm();
    const page = anonymousPage(vm, 1);
    const { folio, entry } = page;
    vm.mem.flags[folio] = (vm.mem.flags[folio] & ~PG.anonExclusive) | exclusive;
    vm.tables.set(entry, folio, present | wasWritable | young | softDirty);
    vm.mem.refcount[folio]++;
    unmap(vm, folio);
    const dst = successor(vm, folio);
    remap(vm, folio, dst);
    assert.equal(bitsOf(vm, page), present | wasWritable | young | softDirty);
    assert.equal(vm.tables.pfn(entry), dst);
    assert.equal(isExclusive(vm, dst), exclusive !== 0);
    assert.deepEqual([vm.mem.mapcount[dst], vm.mem.refcount[dst]], [1, 2]);
    assert.deepEqual([vm.mem.mapcount[folio], vm.mem.refcount[folio]], [0, 1]);
  });
}

test("file pages have read and write entries only, and are never exclusive", () => {
  for (const [vmFlags, kind] of [
    [VM.read | VM.write, migrationWrite],
    [VM.read, migrationRead],
  ]) {
    const vm = smallVm();
    const mapping = vm.cache.createMapping("a file", {});
    const src = cachedFolio(vm, mapping, 5, 1);
    const page = mapFilePage(vm, mapping, src, vmFlags);
    vm.mem.flags[src] |= PG.mappedToDisk;
    unmap(vm, src);
    assert.equal(bitsOf(vm, page), kind | young);
    assert.ok((vm.mem.flags[src] & PG.mappedToDisk) !== 0, "the bit means something else here");
    const dst = successor(vm, src);
    remap(vm, src, dst);
    assert.equal(vm.mem.flags[dst] & PG.mappedToDisk, 0);
    const mayWrite = kind === migrationWrite ? write : 0;
    assert.equal(bitsOf(vm, page), present | young | mayWrite);
  }
});

test("a pinned exclusive page keeps its entry, and whoever asks is told why", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  folioTryPin(vm.mem, page.folio);
  const before = bitsOf(vm, page);
  unmap(vm, page.folio);
  assert.equal(bitsOf(vm, page), before);
  assert.equal(folioMapped(vm.mem, page.folio), true);
  assert.equal(isExclusive(vm, page.folio), true);
  assert.equal(vm.mem.events.refusals.counts.still_mapped, 1);
});

test("a pin on a shared page does not keep its entries: the count will tell", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const other = sharePage(vm, page);
  folioTryPin(vm.mem, page.folio);
  unmap(vm, page.folio);
  assert.equal(folioMapped(vm.mem, page.folio), false);
  assert.equal(bitsOf(vm, page) & present, 0);
  assert.equal(bitsOf(vm, other) & present, 0);
});

test("every process that maps the page gets an entry, and gets the page back", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const pages = [page, sharePage(vm, page), sharePage(vm, page)];
  const src = page.folio;
  vm.mem.refcount[src]++;
  assert.equal(vm.mem.refcount[src], 4);
  unmap(vm, src);
  assert.equal(vm.mem.refcount[src], 1);
  const dst = successor(vm, src);
  remap(vm, src, dst);
  for (const each of pages) assert.equal(vm.tables.pfn(each.entry), dst);
  assert.deepEqual([vm.mem.mapcount[dst], vm.mem.refcount[dst]], [3, 4]);
});

test("a stack that exec still moves is left alone, unless the page is KSM's", () => {
  for (const isKsm of [false, true]) {
    const vm = smallVm();
    const page = isKsm ? mergedPages(vm, 1, 2)[0] : anonymousPage(vm, 1);
    page.vma.flags |= VM.incompleteStack;
    vm.mem.refcount[page.folio]++;
    unmap(vm, page.folio);
    assert.equal(folioMapped(vm.mem, page.folio), !isKsm);
  }
});

test("other pages of the same VMA are not touched", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(3));
  const pages = [0, 1, 2].map((at) => touchPage(vm, vma, vma.startVpn + at, at));
  const before = pages.map((page) => bitsOf(vm, page));
  vm.mem.refcount[pages[1].folio]++;
  unmap(vm, pages[1].folio);
  assert.deepEqual(
    pages.map((page) => bitsOf(vm, page) === before[pages.indexOf(page)]),
    [true, false, true],
  );
});

test("a large folio of a file is unmapped and remapped page by page", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const src = cachedFolio(vm, mapping, 8, 1, 2);
  const page = mapFilePage(vm, mapping, src);
  assert.equal(folioMapcount(vm.mem, src), 4);
  unmap(vm, src);
  assert.equal(folioMapcount(vm.mem, src), 0);
  assert.equal(vm.mem.refcount[src], 4, "the cache's");
  const dst = successor(vm, src, 2);
  remap(vm, src, dst);
  for (let at = 0; at < 4; at++) {
    assert.equal(vm.tables.pfn(page.entry + at), dst + at);
    assert.equal(vm.mem.mapcount[(dst + at) as Pfn], 1);
  }
  assert.equal(vm.mem.refcount[dst], 5);
});

test("permission is taken from the VMA as it is now: mprotect may have run meanwhile", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  vm.mem.refcount[page.folio]++;
  unmap(vm, page.folio);
  page.vma.flags &= ~VM.write;
  const dst = successor(vm, page.folio);
  remap(vm, page.folio, dst);
  assert.equal(bitsOf(vm, page) & write, 0);
  assert.equal(isExclusive(vm, dst), true);
});

test("a page comes back without access where its VMA may not be read by then", () => {
  for (const flags of [VM.read, VM.write, 0]) {
    const vm = smallVm();
    const page = anonymousPage(vm, 1);
    // The mover's.
    vm.mem.refcount[page.folio]++;
    unmap(vm, page.folio);
    page.vma.flags = flags;
    remap(vm, page.folio, page.folio);
    assert.equal((bitsOf(vm, page) & PTE.protNone) !== 0, flags !== VM.read);
    assert.ok((bitsOf(vm, page) & present) !== 0);
  }
});

test("a page that was not writable stays so in a VMA that is: its first write must be seen", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  vm.tables.set(page.entry, page.folio, present | uffdWp);
  vm.mem.refcount[page.folio]++;
  unmap(vm, page.folio);
  remap(vm, page.folio, successor(vm, page.folio));
  assert.equal(bitsOf(vm, page), present | uffdWp);
});

test("an entry is dirty afterwards only if it was and the folio still is", () => {
  for (const [entryDirty, folioDirty] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ]) {
    const vm = smallVm();
    const page = anonymousPage(vm, 1);
    vm.tables.set(page.entry, page.folio, present | write | (entryDirty ? dirty : 0));
    vm.mem.refcount[page.folio]++;
    unmap(vm, page.folio);
    const dst = successor(vm, page.folio);
    vm.mem.flags[dst] &= ~PG.dirty;
    if (folioDirty) vm.mem.flags[dst] |= PG.dirty;
    remap(vm, page.folio, dst);
    assert.equal((bitsOf(vm, page) & dirty) !== 0, entryDirty && folioDirty);
  }
});

test("putting a folio back where it was undoes the unmapping", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const { folio } = page;
  const before = [bitsOf(vm, page), vm.mem.mapcount[folio], vm.mem.refcount[folio] + 1];
  vm.mem.refcount[folio]++;
  unmap(vm, folio);
  remap(vm, folio, folio);
  assert.deepEqual([bitsOf(vm, page), vm.mem.mapcount[folio], vm.mem.refcount[folio]], before);
  assert.equal(isExclusive(vm, folio), true);
});

test("entries that name another folio are left alone", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  vm.mem.refcount[page.folio]++;
  unmap(vm, page.folio);
  const before = bitsOf(vm, page);
  const dst = successor(vm, page.folio);
  remap(vm, (page.folio + 1) as Folio, dst);
  assert.equal(bitsOf(vm, page), before);
  assert.equal(vm.mem.mapcount[dst], 0);
});

test("an entry of swap is left alone, also where its slot has the number of the page", () => {
  const vm = smallVm();
  const { mem, tables } = vm;
  const area = smallSwap(vm);
  const page = anonymousPage(vm, 1);
  const other = sharePage(vm, page);
  folioGet(mem, page.folio);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "cached");
  folioPut(mem, page.folio);
  assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), 1);
  const slot = swapEntry(0, page.folio);
  assert.deepEqual([tables.pfn(page.entry), bitsOf(vm, page) & PTE.swap], [slot, PTE.swap]);
  const inSwap = bitsOf(vm, page);
  unmap(vm, page.folio);
  assert.equal(bitsOf(vm, page), inSwap);
  assert.equal(folioMapped(mem, page.folio), false);
  remap(vm, page.folio, page.folio);
  assert.deepEqual([bitsOf(vm, page), tables.pfn(page.entry)], [inSwap, slot]);
  assert.equal(folioMapcount(mem, page.folio), 1);
  assert.equal(area.count(slot), 1);
});

test("an mlocked page is unmapped like any other, and the new one is mlocked by its mapping", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1, VM.read | VM.write | VM.locked);
  const { mem } = vm;
  const src = page.folio;
  assert.ok((mem.flags[src] & PG.mlocked) !== 0);
  mem.refcount[src]++;
  unmap(vm, src);
  assert.equal(mem.flags[src] & PG.mlocked, 0);
  assert.equal(mem.nodes[0].mlockedPages, 0);
  assert.equal(mem.refcount[src], 1, "no batch holds it");
  const dst = successor(vm, src);
  remap(vm, src, dst);
  lruAddDrain(mem);
  assert.ok((mem.flags[dst] & PG.mlocked) !== 0);
  assert.equal(mem.nodes[0].mlockedPages, 1);
});

test("listeners are told of the folio's pages, before its entries change and after", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const src = cachedFolio(vm, mapping, 8, 1, 2);
  const page = mapFilePage(vm, mapping, src);
  const told: (readonly [string, number, number, number])[] = [];
  const tell = (when: string, start: number, end: number): void => {
    told.push([when, start - page.vpn, end - page.vpn, folioMapcount(vm.mem, src)]);
  };
  mmuNotifierRegister(page.mm, {
    invalidateRangeStart: (start, end) => tell("start", start, end),
    invalidateRangeEnd: (start, end) => tell("end", start, end),
  });
  unmap(vm, src);
  assert.deepEqual(told, [
    ["start", 0, 4, 4],
    ["end", 0, 4, 0],
  ]);
  remap(vm, src, successor(vm, src, 2));
  assert.equal(told.length, 2, "what was not there needs no telling when it comes back");
});

test("each entry set and removed is told in the kernel's words", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const lines = new TraceLines();
  vm.mem.refcount[page.folio]++;
  vm.mem.events.trace = lines;
  unmap(vm, page.folio);
  const dst = successor(vm, page.folio);
  remap(vm, page.folio, dst);
  const address = (page.vpn * 4096).toString(16);
  assert.equal(lines.lines.length, 2);
  assert.match(
    lines.lines[0],
    new RegExp(`^set_migration_pte: addr=${address}, pte=e[0-9a-f]{15} `),
  );
  const frame = dst.toString(16);
  assert.match(
    lines.lines[1],
    new RegExp(`^remove_migration_pte: addr=${address}, pte=80+${frame}867`),
  );
});
