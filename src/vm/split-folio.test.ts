/** A large folio is split into its pages, each with its users, its place and its references. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { prepCompound } from "../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import { allocPages, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { listDel, listEmpty, listFirst } from "../memory/page-list.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { VM } from "./mm.ts";
import { PTE } from "./pte.ts";
import { setAnonOwner } from "./rmap.ts";
import { splitFolioToList } from "./split-folio.ts";
import { Vm } from "./vm.ts";

const ORDER = 2;
const PAGES = 1 << ORDER;

interface World {
  readonly vm: Vm;
  readonly folio: Folio;
  readonly pieces: PageList;
}

/** A locked folio of four pages with the one reference of its isolation. */
function isolatedFolio(): World {
  const vm = new Vm(smallMemory({ pageCount: 64 }));
  const pfn = allocPages(vm.mem, { ...movableRequest(0), order: ORDER });
  const folio = prepCompound(vm.mem, pfn, ORDER);
  assert.ok(folioTrylock(vm.mem, folio));
  return { vm, folio, pieces: vm.mem.takeList() };
}

function inFile({ vm, folio }: World, offset: number): AddressSpace {
  const mapping = vm.cache.createMapping("a file", {});
  filemapAddFolio(vm.mem, mapping, folio, offset);
  return mapping;
}

function taken({ vm, pieces }: World): number[] {
  const pages: number[] = [];
  while (!listEmpty(vm.mem, pieces)) {
    pages.push(listFirst(vm.mem, pieces));
    listDel(vm.mem, listFirst(vm.mem, pieces));
  }
  return pages;
}

test("the pages of a cached folio take their own places in the file", () => {
  const world = isolatedFolio();
  const { vm, folio } = world;
  const mapping = inFile(world, 8);
  vm.mem.flags[folio] |= PG.uptodate | PG.referenced;
  assert.equal(runToEnd(splitFolioToList(vm, folio, world.pieces)), "split");
  assert.deepEqual(taken(world), [folio + 1, folio + 2, folio + 3]);
  for (let at = 0; at < PAGES; at++) {
    const page = (folio + at) as Folio;
    assert.equal(mapping.folios.load(8 + at), page);
    assert.equal(vm.mem.index[page], 8 + at);
    assert.equal(vm.mem.refcount[page], 2, "the list's and the file's");
    const locked = at === 0 ? PG.locked : 0;
    assert.equal(vm.mem.flags[page], PG.uptodate | PG.referenced | locked);
  }
});

test("a mapped anonymous folio's pages keep their entries, and who may write to them", () => {
  const world = isolatedFolio();
  const { vm, folio } = world;
  const mm = vm.createMm("process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(PAGES), VM.read | VM.write);
  setAnonOwner(vm.mem, folio, vma, vma.startVpn);
  for (let at = 0; at < PAGES; at++) {
    const page = (folio + at) as Pfn;
    const entry = mm.directory.make(vma.startVpn + at);
    vm.tables.set(entry, page, PTE.present | PTE.write | PTE.young);
    vm.mem.flags[page] |= PG.anonExclusive;
    vm.mem.mapcount[page]++;
    vm.mem.refcount[folio]++;
  }
  assert.equal(runToEnd(splitFolioToList(vm, folio, world.pieces)), "split");
  for (let at = 0; at < PAGES; at++) {
    const entry = mm.directory.find(vma.startVpn + at);
    assert.equal(vm.tables.pfn(entry), folio + at);
    assert.equal(vm.tables.bits(entry), PTE.present | PTE.write | PTE.young);
    assert.equal(vm.mem.refcount[folio + at], 2, "the list's and the entry's");
    assert.equal(vm.mem.mapcount[folio + at], 1);
    assert.ok((vm.mem.flags[folio + at] & PG.anonExclusive) !== 0);
  }
});

test("a reference more than expected leaves the folio whole and mapped", () => {
  const world = isolatedFolio();
  const { vm, folio } = world;
  const mapping = inFile(world, 0);
  folioGet(vm.mem, folio);
  assert.equal(runToEnd(splitFolioToList(vm, folio, world.pieces)), "EAGAIN");
  assert.deepEqual(taken(world), []);
  assert.equal(mapping.folios.load(3), folio);
  assert.equal(vm.mem.refcount[folio], 2 + PAGES);
  folioPut(vm.mem, folio);
});

test("private state is given up first, unless it is dirty", () => {
  const world = isolatedFolio();
  const { vm, folio } = world;
  inFile(world, 0);
  vm.mem.flags[folio] |= PG.private | PG.dirty;
  vm.mem.refcount[folio]++;
  assert.equal(runToEnd(splitFolioToList(vm, folio, world.pieces)), "EBUSY");
  vm.mem.flags[folio] &= ~PG.dirty;
  assert.equal(runToEnd(splitFolioToList(vm, folio, world.pieces)), "split");
  assert.equal(vm.mem.flags[folio] & PG.private, 0);
});

test("a folio under writeback or without an owner is not split", () => {
  const orphan = isolatedFolio();
  assert.equal(runToEnd(splitFolioToList(orphan.vm, orphan.folio, orphan.pieces)), "EBUSY");
  const world = isolatedFolio();
  inFile(world, 0);
  world.vm.mem.flags[world.folio] |= PG.writeback;
  assert.equal(runToEnd(splitFolioToList(world.vm, world.folio, world.pieces)), "EBUSY");
});

test("each page is freed by its own last reference", () => {
  const world = isolatedFolio();
  const { vm, folio } = world;
  const free = vm.mem.zones[0].freePages;
  const mapping = inFile(world, 0);
  assert.equal(runToEnd(splitFolioToList(vm, folio, world.pieces)), "split");
  taken(world);
  folioUnlock(vm.mem, folio);
  for (let at = 0; at < PAGES; at++) {
    const page = (folio + at) as Folio;
    mapping.folios.remove(at, 1);
    vm.mem.mapping[page] = 0;
    folioPut(vm.mem, page);
    folioPut(vm.mem, page);
  }
  assert.equal(vm.mem.zones[0].freePages, free + PAGES);
});
