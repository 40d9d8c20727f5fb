import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { AddressSpace, AddressSpaceOperations } from "../pagecache/address-space.ts";
import { MemoryDevice } from "../pagecache/device/block-device.ts";
import { smallFile } from "../pagecache/small-file.ts";
import { folioClearDirtyForIo } from "../pagecache/writeback.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, userPage, writeUser } from "./fault.ts";
import { forkMm } from "./fork.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import { Vm } from "./vm.ts";
import { zapRange } from "./zap.ts";

const FRAMES = 256;
const PAGES = 40;

/** A file of which page n begins with word 100 + n, and a process that maps all of it. */
class Scene {
  readonly vm: Vm = new Vm(smallMemory({ pageCount: FRAMES, frames: byteFrames(FRAMES, 16) }));
  readonly file: AddressSpace;
  readonly mm: Mm;
  readonly vma: Vma;

  constructor(kind: "shared" | "private", more?: AddressSpaceOperations, flags?: number) {
    const { vm } = this;
    const disk = new MemoryDevice(vm.mem);
    for (let page = 0; page < PAGES; page++) disk.writeWord(page * 1024, 100 + page);
    this.file = smallFile(vm.cache, disk, PAGES, more);
    this.mm = vm.createMm("a process");
    const range = { ...this.mm.freeRange(PAGES + 2), pgoff: 0 };
    this.vma =
      kind === "shared"
        ? vm.mapFile(this.mm, range, this.file, flags)
        : vm.mapFilePrivate(this.mm, range, this.file, flags);
  }

  read(page: number, mm: Mm = this.mm): unknown {
    return runToEnd(readUser(this.vm, mm, this.vma.startVpn + page, 0));
  }

  write(page: number, value: number, mm: Mm = this.mm): unknown {
    return runToEnd(writeUser(this.vm, mm, this.vma.startVpn + page, 0, value));
  }

  bits(page: number): number {
    const entry = this.mm.directory.find(this.vma.startVpn + page);
    return entry === NO_ENTRY ? 0 : this.vm.tables.bits(entry);
  }

  mapped(page: number): Folio {
    const entry = this.mm.directory.find(this.vma.startVpn + page);
    return this.vm.tables.pfn(entry) as Folio;
  }

  cached(page: number): Folio {
    return this.file.folios.load(page) ?? assert.fail("the page is cached");
  }

  /** The pages of the file that the process maps. */
  get present(): number[] {
    return Array.from({ length: PAGES }, (_, page) => page).filter((page) => this.bits(page) !== 0);
  }
}

test("a page of a file is read into the cache and mapped, clean and not writable", () => {
  const scene = new Scene("shared");
  assert.equal(scene.read(3), 103);
  assert.equal(scene.mapped(3), scene.cached(3));
  assert.equal(scene.bits(3), PTE.present | PTE.young);
  assert.equal(scene.vm.mem.mapcount[scene.cached(3)], 1);
});

test("behind the file's last page is SIGBUS, and so is what cannot be read", () => {
  const scene = new Scene("shared");
  assert.equal(scene.read(PAGES), "SIGBUS");
  assert.equal(scene.write(PAGES, 1), "SIGBUS");
  const dead = new Scene("private");
  Object.assign(dead.file, {
    device: { submit: (request: { done: (r: string) => void }) => request.done("EIO") },
  });
  assert.equal(dead.read(0), "SIGBUS");
  assert.equal(dead.write(0, 1), "SIGBUS");
  assert.equal(dead.mm.rssPages, 0);
});

test("a read maps what is cached of the 16 pages around it, and passes over what is not ready", () => {
  const scene = new Scene("shared");
  const { mem } = scene.vm;
  // Reading around brings pages 4 to 35; page 28 begins the next window.
  scene.read(20);
  assert.deepEqual(scene.present, [20]);
  folioTrylock(mem, scene.cached(17));
  mem.flags[scene.cached(18)] &= ~PG.uptodate;
  scene.read(21);
  const expected = Array.from({ length: 16 }, (_, at) => 16 + at).filter(
    (page) => ![17, 18, 28].includes(page),
  );
  assert.deepEqual(scene.present, expected);
  assert.equal(scene.mm.rssPages, expected.length);
  folioUnlock(mem, scene.cached(17));
});

test("a shared write makes the folio dirty and reaches the file; another process sees it", () => {
  const scene = new Scene("shared");
  assert.equal(scene.write(3, 7), "done");
  const folio = scene.cached(3);
  assert.equal(scene.mapped(3), folio);
  const writable = PTE.present | PTE.young | PTE.write | PTE.dirty | PTE.softDirty;
  assert.equal(scene.bits(3), writable);
  assert.notEqual(scene.vm.mem.flags[folio] & PG.dirty, 0);
  assert.equal(scene.vm.mem.nodes[0].dirtyPages, 1);
  const other = scene.vm.createMm("another");
  scene.vm.mapFile(other, { ...scene.vma, pgoff: 0 }, scene.file);
  assert.equal(scene.read(3, other), 7);
});

test("a page that was read first becomes writable by a fault, which makes the folio dirty", () => {
  const scene = new Scene("shared");
  scene.read(3);
  assert.equal(scene.vm.mem.flags[scene.cached(3)] & PG.dirty, 0);
  assert.equal(scene.write(3, 7), "done");
  assert.notEqual(scene.vm.mem.flags[scene.cached(3)] & PG.dirty, 0);
});

test("cleaned for I/O, the entries lose write and dirty, and the next write says so again", () => {
  const scene = new Scene("shared");
  const { mem } = scene.vm;
  scene.write(3, 7);
  const folio = scene.cached(3);
  folioTrylock(mem, folio);
  assert.equal(runToEnd(folioClearDirtyForIo(mem, scene.file, folio)), true);
  assert.equal(runToEnd(folioClearDirtyForIo(mem, scene.file, folio)), false);
  folioUnlock(mem, folio);
  assert.equal(scene.bits(3) & (PTE.write | PTE.dirty), 0);
  scene.write(3, 8);
  assert.notEqual(mem.flags[folio] & PG.dirty, 0);
  assert.equal(scene.read(3), 8);
});

test("memory that nobody writes back is writable from the first read on, and dirty in the entry", () => {
  const scene = new Scene("shared");
  Object.assign(scene.file, { canWriteback: false, ops: { readFolio: scene.file.ops.readFolio } });
  scene.read(3);
  assert.equal(scene.bits(3), PTE.present | PTE.young | PTE.write);
  scene.write(3, 7);
  assert.equal(scene.vm.mem.flags[scene.cached(3)] & PG.dirty, 0);
  runToEnd(zapRange(scene.vm, scene.vma, scene.vma.startVpn + 3, scene.vma.startVpn + 4));
  assert.notEqual(scene.vm.mem.flags[scene.cached(3)] & PG.dirty, 0, "told when it is unmapped");
});

test("a private write makes a copy, of a page that was mapped and of one that was not", () => {
  for (const first of ["read", "write"] as const) {
    const scene = new Scene("private");
    const { mem } = scene.vm;
    if (first === "read") assert.equal(scene.read(3), 103);
    assert.equal(scene.write(3, 7), "done");
    assert.equal(scene.read(3), 7);
    const copy = scene.mapped(3);
    assert.ok(folioTestAnon(mem, copy));
    assert.equal(mem.frames.readWord(scene.cached(3), 0), 103, "the file has what it had");
    assert.equal(mem.mapcount[scene.cached(3)], 0);
    assert.equal(scene.mm.rssPages, first === "read" ? scene.present.length : 1);
    assert.equal(mem.flags[scene.cached(3)] & PG.dirty, 0);
  }
});

test("a fork shares a file's pages and copies of them alike, and a write parts them", () => {
  const scene = new Scene("private");
  scene.write(3, 7);
  scene.read(4);
  const child = forkMm(scene.vm, scene.mm, "a child") ?? assert.fail("there is memory");
  assert.deepEqual([scene.read(3, child), scene.read(4, child)], [7, 104]);
  assert.equal(scene.vm.mem.mapcount[scene.mapped(3)], 2);
  scene.write(3, 8, child);
  scene.write(4, 9, child);
  assert.deepEqual([scene.read(3), scene.read(4)], [7, 104]);
  assert.deepEqual([scene.read(3, child), scene.read(4, child)], [8, 9]);
});

test("program text is one page in the cache for all who run it, and nobody may write it", () => {
  const scene = new Scene("private", {}, VM.read);
  scene.read(0);
  const child = forkMm(scene.vm, scene.mm, "a child") ?? assert.fail("there is memory");
  assert.equal(scene.read(0, child), 100);
  assert.equal(scene.vm.mem.mapcount[scene.cached(0)], 2);
  assert.equal(scene.write(0, 1), "SIGSEGV");
});

test("entries go from the file's pages when it is cut off, from private copies if told so", () => {
  const scene = new Scene("private");
  const { vm, file } = scene;
  scene.write(3, 7);
  scene.read(4);
  const mappers = vm.cache.mappers ?? assert.fail();
  runToEnd(mappers.unmapMappingRange(file, 0, 4, "cached"));
  assert.equal(scene.bits(4), 0);
  assert.equal(scene.read(3), 7);
  runToEnd(mappers.unmapMappingRange(file, 3, 3, "all"));
  assert.equal(scene.read(3), 103);
  file.sizeBytes = 3 * PAGE_SIZE;
  runToEnd(zapRange(vm, scene.vma, scene.vma.startVpn, scene.vma.endVpn));
  assert.equal(runToEnd(userPage(vm, scene.mm, scene.vma.startVpn + 3, "read")), "SIGBUS");
});
