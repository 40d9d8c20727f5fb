/** Secret memory: nobody but its process gets at it, and it stays where it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { folioAddLru, lruAddDrain } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapAddFolio, filemapRemoveFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { followPage } from "../vm/follow-page.ts";
import { smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { createSecretmem } from "./secretmem.ts";

function secretPage(): { vm: Vm; mapping: AddressSpace; folio: Folio } {
  const vm = smallVm();
  const mapping = createSecretmem(vm.cache, PAGE_SIZE);
  const folio = folioAlloc(vm.mem, movableRequest(0));
  assert.ok(folio !== null);
  vm.mem.flags[folio] |= PG.uptodate;
  filemapAddFolio(vm.mem, mapping, folio, 0);
  folioAddLru(vm.mem, folio);
  folioPut(vm.mem, folio);
  lruAddDrain(vm.mem);
  return { vm, mapping, folio };
}

test("its pages are for no list that reclaim walks", () => {
  const { vm, folio } = secretPage();
  assert.equal(vm.mem.flags[folio] & (PG.lru | PG.unevictable), PG.lru | PG.unevictable);
});

test("who looks a mapped page up finds none", () => {
  const { vm, mapping } = secretPage();
  const mm = vm.createMm("one");
  const vma = vm.mapFile(mm, { ...mm.freeRange(1), pgoff: 0 }, mapping);
  assert.equal(followPage(vm, vma, vma.startVpn), "ENOENT");
});

test("its process reads zeroes where it has not written, and what it wrote", () => {
  const vm = smallVm();
  const mm = vm.createMm("one");
  const mapping = createSecretmem(vm.cache, PAGE_SIZE);
  const { startVpn } = vm.mapFile(mm, { ...mm.freeRange(2), pgoff: 0 }, mapping);
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 5)), 0);
  assert.equal(runToEnd(writeUser(vm, mm, startVpn, 5, 42)), "done");
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 5)), 42);
  assert.equal(runToEnd(readUser(vm, mm, startVpn + 1, 0)), "SIGBUS");
});

test("it does not move", () => {
  const { vm, mapping, folio } = secretPage();
  const dst = folioAlloc(vm.mem, movableRequest(0));
  assert.ok(dst !== null && mapping.ops.migrateFolio !== undefined);
  const outcome = runToEnd(mapping.ops.migrateFolio(vm.mem, mapping, dst, folio, "sync"));
  assert.equal(outcome, "EBUSY");
});

test("what leaves the file is zeroed", () => {
  const { vm, mapping, folio } = secretPage();
  vm.mem.frames.writeWord(folio, 3, 42);
  folioGet(vm.mem, folio);
  assert.ok(folioTrylock(vm.mem, folio));
  filemapRemoveFolio(vm.mem, mapping, folio);
  folioUnlock(vm.mem, folio);
  assert.equal(vm.mem.frames.readWord(folio, 3), 0);
  folioPut(vm.mem, folio);
});
