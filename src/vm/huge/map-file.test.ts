/** A file's huge page in page tables: by a fault, by a move, and out of them again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { folioMapcount } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { folioReferenced } from "../folio-referenced.ts";
import { removeMigrationPtes, tryToMigrate } from "../migration-entry.ts";
import { VM, type Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE, PTE_MIGRATION } from "../pte.ts";
import { cachedFolio, smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { unmapRange } from "../zap.ts";

/** A file of tmpfs with one huge page, of which page n begins with word 100 + n. */
class Scene {
  readonly vm: Vm = smallVm({ pageCount: 4096 });
  readonly file: AddressSpace;
  readonly folio: Folio;

  constructor() {
    const { vm } = this;
    // All of the file is cached: there is nothing to read.
    const ops: AddressSpace["ops"] = {
      readFolio(): never {
        throw new Error("a page of the file is read");
      },
    };
    const traits = { sizeBytes: 1024 * PAGE_SIZE, canWriteback: false };
    this.file = vm.cache.createMapping("tmpfs", ops, traits);
    this.folio = cachedFolio(vm, this.file, 0, 100, 9);
    for (let at = 1; at < 512; at++) {
      vm.mem.frames.writeWord((this.folio + at) as Pfn, 0, 100 + at);
    }
    vm.mem.flags[this.folio] |= PG.swapbacked;
    vm.mem.nodes[0].shmemPages += 512;
  }

  map(kind: "shared" | "private" = "shared", pages = 512, flags?: number): Vma {
    const { vm } = this;
    const mm = vm.createMm(`process ${vm.mms.length}`);
    const range = { ...mm.freeRange(pages), pgoff: 0 };
    return kind === "shared"
      ? vm.mapFile(mm, range, this.file, flags)
      : vm.mapFilePrivate(mm, range, this.file, flags);
  }

  read({ mm, startVpn }: Vma, page: number): unknown {
    return runToEnd(readUser(this.vm, mm, startVpn + page, 0));
  }

  write({ mm, startVpn }: Vma, page: number, value: number): unknown {
    return runToEnd(writeUser(this.vm, mm, startVpn + page, 0, value));
  }

  /** Bits of the VMA's huge entry; 0 without one. */
  bits({ mm, startVpn }: Vma): number {
    const entry = mm.directory.findHuge(startVpn);
    return entry === NO_ENTRY ? 0 : this.vm.tables.bits(entry);
  }
}

test("the first use of any page maps the folio whole, writable at once as nobody need know", () => {
  const scene = new Scene();
  const { vm, folio } = scene;
  const [first, second] = [scene.map(), scene.map()];
  assert.equal(scene.read(first, 300), 400);
  assert.equal(scene.bits(first) & (PTE.write | PTE.dirty), PTE.write);
  assert.equal(scene.write(second, 5, 7), "done");
  assert.equal(scene.read(first, 5), 7);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.mapping[folio + 1]], [512 + 2, 2]);
  assert.equal(first.mm.rssPages, 512);
  assert.notEqual(vm.mem.flags[folio] & PG.dirty, 0);
});

for (const [what, kind, pages] of [
  ["a VMA that ends inside it", "shared", 511],
  ["a private mapping that is written to", "private", 512],
] as const) {
  test(`${what} gets single pages`, () => {
    const scene = new Scene();
    const vma = scene.map(kind, pages);
    assert.equal(scene.write(vma, 5, 7), "done");
    assert.equal(scene.bits(vma), 0);
    assert.equal(scene.read(vma, 5), 7);
    assert.equal(scene.read(scene.map(), 5), kind === "private" ? 105 : 7);
  });
}

test("a private mapping reads it whole, and takes it apart for its first copy", () => {
  const scene = new Scene();
  const vma = scene.map("private");
  assert.equal(scene.read(vma, 5), 105);
  assert.equal(scene.bits(vma) & (PTE.huge | PTE.write), PTE.huge);
  assert.equal(scene.write(vma, 5, 7), "done");
  assert.equal(scene.bits(vma), 0);
  assert.deepEqual([scene.read(vma, 5), scene.read(vma, 6), scene.read(vma, 400)], [7, 106, 500]);
  assert.equal(scene.vm.mem.frames.readWord((scene.folio + 5) as Pfn, 0), 105);
});

test("munmap of a part drops the entry; what is left is mapped again page by page", () => {
  const scene = new Scene();
  const { vm, folio } = scene;
  const vma = scene.map();
  assert.equal(scene.write(vma, 5, 7), "done");
  vm.mem.flags[folio] &= ~PG.dirty;
  const { mm, startVpn } = vma;
  runToEnd(unmapRange(vm, mm, startVpn + 256, startVpn + 512));
  assert.deepEqual([folioMapcount(vm.mem, folio), mm.rssPages], [0, 0]);
  assert.notEqual(vm.mem.flags[folio] & PG.dirty, 0, "what the entry knew is kept");
  assert.equal(vm.mem.nodes[0].deferredSplitCount, 0, "a file's pages are not given back so");
  assert.equal(scene.read(vma, 5), 7);
  assert.ok(mm.rssPages > 0 && mm.rssPages < 256);
});

test("it moves by one entry for each process, and comes back writable", () => {
  const scene = new Scene();
  const { vm, folio } = scene;
  const vmas = [scene.map(), scene.map("shared", 512, VM.read)];
  for (const vma of vmas) assert.equal(scene.read(vma, 5), 105);
  folioGet(vm.mem, folio);
  assert.ok(folioTrylock(vm.mem, folio));
  runToEnd(tryToMigrate(vm, folio));
  const kinds = vmas.map((vma) => scene.bits(vma) & PTE_MIGRATION);
  assert.deepEqual(kinds, [PTE.migrationWrite, PTE.migrationRead]);
  assert.equal(vm.mem.refcount[folio], 512 + 1);
  runToEnd(removeMigrationPtes(vm, folio, folio));
  folioUnlock(vm.mem, folio);
  const written = vmas.map((vma) => scene.bits(vma) & (PTE.present | PTE.write));
  assert.deepEqual(written, [PTE.present | PTE.write, PTE.present]);
  assert.equal(vm.mem.flags[folio] & PG.anonExclusive, 0);
});

test("truncation of a part unmaps it, and cleaning takes the dirty and write bits", () => {
  const scene = new Scene();
  const { vm, file, folio } = scene;
  const { mappers } = vm.cache;
  const vma = scene.map();
  assert.equal(scene.write(vma, 5, 7), "done");
  assert.ok(mappers !== null);
  assert.equal(runToEnd(mappers.folioMkclean(file, folio)), true);
  assert.equal(scene.bits(vma) & (PTE.dirty | PTE.write | PTE.huge), PTE.huge);
  assert.equal(runToEnd(mappers.folioMkclean(file, folio)), false);
  runToEnd(mappers.unmapMappingRange(file, 256, 511, "all"));
  assert.equal(folioMapcount(vm.mem, folio), 0);
});

test("a use is seen once for each process, and not again", () => {
  const scene = new Scene();
  const { vm, folio } = scene;
  for (const vma of [scene.map(), scene.map()]) assert.equal(scene.read(vma, 5), 105);
  assert.equal(runToEnd(folioReferenced(vm, folio, "unlocked")).count, 2);
  assert.equal(runToEnd(folioReferenced(vm, folio, "unlocked")).count, 0);
});
