import assert from "node:assert/strict";
import { test } from "node:test";
import { folioMapcount, folioMapped } from "../memory/folio.ts";
import { folioAddLru } from "../memory/lru.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { VM, type Vma } from "./mm.ts";
import { addRmap, addRmapHuge, removeRmap, removeRmapHuge } from "./rmap.ts";
import { smallVm } from "./small-vm.ts";
import type { Vm } from "./vm.ts";

interface Large {
  readonly vm: Vm;
  readonly vma: Vma;
  readonly folio: Folio;
}

/** A folio of 8 pages on the LRU and a VMA that may map it. */
function largeFolio(vmFlags: number = VM.read | VM.write): Large {
  const vm = smallVm();
  const mm = vm.createMm("owner");
  const vma = vm.mapAnonymous(mm, mm.freeRange(8), vmFlags);
  const folio = folioAlloc(vm.mem, { ...movableRequest(0), order: 3 });
  assert.ok(folio !== null);
  folioAddLru(vm.mem, folio);
  return { vm, vma, folio };
}

test("a folio is mapped until its last huge and its last single entry are gone", () => {
  const { vm, vma, folio } = largeFolio();
  const { mem } = vm;
  addRmapHuge(mem, folio, vma);
  addRmapHuge(mem, folio, vma);
  addRmap(mem, (folio + 7) as Pfn, vma);
  assert.equal(folioMapcount(mem, folio), 3);
  removeRmapHuge(mem, folio, vma);
  removeRmap(mem, (folio + 7) as Pfn, vma);
  assert.equal(folioMapped(mem, folio), true);
  removeRmapHuge(mem, folio, vma);
  assert.equal(folioMapped(mem, folio), false);
  assert.throws(() => removeRmapHuge(mem, folio, vma), /a huge mapping that was never added/);
});

test("a huge mapping in a locked VMA keeps all of the folio, and lets go of all of it", () => {
  const { vm, vma, folio } = largeFolio(VM.read | VM.write | VM.locked);
  const { mem } = vm;
  addRmapHuge(mem, folio, vma);
  assert.equal(mem.nodes[0].mlockedPages, 8);
  assert.notEqual(mem.flags[folio] & PG.unevictable, 0);
  removeRmapHuge(mem, folio, vma);
  assert.equal(mem.nodes[0].mlockedPages, 0);
  assert.equal(mem.flags[folio] & (PG.unevictable | PG.mlocked), 0);
});

test("only a large folio has huge mappings", () => {
  const { vm, vma } = largeFolio();
  const single = folioAlloc(vm.mem, movableRequest(0));
  assert.ok(single !== null);
  assert.throws(() => addRmapHuge(vm.mem, single, vma), /a huge entry for a single page/);
});
