import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Clock } from "../sched/clock.ts";
import { runToEnd } from "../sched/run.ts";
import {
  type AddressSpace,
  type AddressSpaceOperations,
  AS,
  type WritepageOutcome,
} from "./address-space.ts";
import { MemoryDevice, SlowDevice } from "./device/block-device.ts";
import { MARK } from "./folio-index.ts";
import { invalidateInodePages2, invalidateMappingPages, removeMapping } from "./invalidate.ts";
import { filemapDirtyFolio } from "./mark-dirty.ts";
import { PageCache } from "./page-cache.ts";
import { smallFile } from "./small-file.ts";
import { truncateFile } from "./truncate.ts";
import { genericPerformWrite } from "./write.ts";
import { backgroundWriteback, doWritepages, filemapWriteAndWait } from "./write-cache-pages.ts";

/** A file of eight pages, page n dirty with word 10 + n. */
class Scene {
  readonly mem: Memory = smallMemory({ pageCount: 64, frames: byteFrames(64, 16) });
  readonly clock: Clock = new Clock();
  readonly disk: MemoryDevice = new MemoryDevice(this.mem);
  readonly slow: SlowDevice;
  readonly file: AddressSpace;

  constructor(latency = 0, errorProbability = 0, more?: AddressSpaceOperations) {
    const slowness = { latencyMin: latency, latencyMax: latency, errorProbability, seed: 1 };
    this.slow = new SlowDevice(this.disk, this.clock, slowness);
    const device = latency > 0 || errorProbability > 0 ? this.slow : this.disk;
    this.file = smallFile(new PageCache(this.mem), device, 0, more);
    for (let page = 0; page < 8; page++) this.write(page, 10 + page);
    lruAddDrain(this.mem);
  }

  write(page: number, value: number): void {
    const words = new Int32Array(1024);
    words[0] = value;
    assert.equal(runToEnd(genericPerformWrite(this.mem, this.file, page * 4096, words)), 1024);
  }

  folio(page: number): Folio {
    return this.file.folios.load(page) ?? assert.fail("the page is cached");
  }

  marked(mark: 0 | 1 | 2): number[] {
    return Array.from({ length: 8 }, (_, page) => page).filter((page) =>
      this.file.folios.isMarked(page, mark),
    );
  }

  get onDisk(): number[] {
    return Array.from({ length: 8 }, (_, page) => this.disk.readWord(page * 1024));
  }

  get counts(): { dirty: number; writeback: number; pending: number } {
    const [{ dirtyPages, writebackPages }] = this.mem.nodes;
    const [{ writePendingPages }] = this.mem.zones;
    return { dirty: dirtyPages, writeback: writebackPages, pending: writePendingPages };
  }
}

test("a sync writes what is dirty, and marks and counters follow each page on its way", () => {
  const scene = new Scene(50);
  assert.deepEqual(scene.counts, { dirty: 8, writeback: 0, pending: 8 });
  const control = { sync: "all", first: 2, last: 5, pagesToWrite: 100 } as const;
  runToEnd(doWritepages(scene.mem, scene.file, control));
  assert.deepEqual(scene.marked(MARK.writeback), [2, 3, 4, 5]);
  assert.deepEqual(scene.marked(MARK.dirty), [0, 1, 6, 7]);
  assert.deepEqual(scene.marked(MARK.towrite), []);
  assert.deepEqual(scene.counts, { dirty: 4, writeback: 4, pending: 8 });
  assert.deepEqual(scene.onDisk, [0, 0, 0, 0, 0, 0, 0, 0]);
  while (scene.clock.advance());
  assert.deepEqual(scene.marked(MARK.writeback), []);
  assert.deepEqual(scene.counts, { dirty: 4, writeback: 0, pending: 4 });
  assert.deepEqual(scene.onDisk, [0, 0, 12, 13, 14, 15, 0, 0]);
});

test("a page that is dirtied under its writeback is dirty and marked at the end of it", () => {
  const scene = new Scene(50);
  const control = { sync: "none", first: 3, last: 3, pagesToWrite: 1 } as const;
  runToEnd(doWritepages(scene.mem, scene.file, control));
  runToEnd(filemapDirtyFolio(scene.mem, scene.file, scene.folio(3)));
  while (scene.clock.advance());
  assert.ok(scene.marked(MARK.dirty).includes(3));
  assert.equal(scene.mem.flags[scene.folio(3)] & (PG.dirty | PG.writeback), PG.dirty);
  assert.deepEqual(scene.counts, { dirty: 8, writeback: 0, pending: 8 });
});

test("a background writeback goes round the file, so many pages at a time", () => {
  const scene = new Scene();
  const some = (): number => runToEnd(backgroundWriteback(scene.mem, [scene.file], 3));
  assert.equal(some(), 3);
  assert.deepEqual(scene.marked(MARK.dirty), [3, 4, 5, 6, 7]);
  scene.write(0, 20);
  assert.equal(some(), 3);
  assert.deepEqual(scene.marked(MARK.dirty), [0, 6, 7]);
  assert.equal(some(), 2, "to the end of the file");
  assert.equal(some(), 1, "and from its beginning");
  assert.equal(some(), 0);
  assert.deepEqual(scene.onDisk, [20, 11, 12, 13, 14, 15, 16, 17]);
});

test("a write that failed is told by the next sync, and once", () => {
  const scene = new Scene(0, 1);
  runToEnd(backgroundWriteback(scene.mem, [scene.file], 100));
  while (scene.clock.advance());
  assert.notEqual(scene.file.flags & AS.eio, 0);
  assert.equal(runToEnd(filemapWriteAndWait(scene.mem, scene.file)), "EIO");
  assert.equal(runToEnd(filemapWriteAndWait(scene.mem, scene.file)), "done");
});

test("an owner that cannot write now keeps the page dirty only if it says so", () => {
  const scene = new Scene(0, 0, {
    *writepage(mem, mapping, folio): Blocking<WritepageOutcome> {
      yield* filemapDirtyFolio(mem, mapping, folio);
      return "activate";
    },
  });
  assert.equal(runToEnd(filemapWriteAndWait(scene.mem, scene.file)), "done");
  assert.equal(scene.marked(MARK.dirty).length, 8);
  assert.equal(scene.mem.flags[scene.folio(0)] & PG.locked, 0);
  assert.deepEqual(scene.counts, { dirty: 8, writeback: 0, pending: 8 });
});

test("what is cut off is not written and not counted, and its frames are free", () => {
  const scene = new Scene();
  const before = scene.mem.zones[0].freePages;
  assert.equal(runToEnd(truncateFile(scene.mem, scene.file, 3 * 4096)), "done");
  assert.equal(scene.mem.zones[0].freePages, before + 5);
  assert.deepEqual(scene.counts, { dirty: 3, writeback: 0, pending: 3 });
  assert.equal(runToEnd(filemapWriteAndWait(scene.mem, scene.file)), "done");
  assert.deepEqual(scene.onDisk, [10, 11, 12, 0, 0, 0, 0, 0]);
});

test("only what is clean, unlocked and held by nobody is dropped by the way", () => {
  const scene = new Scene();
  runToEnd(filemapWriteAndWait(scene.mem, scene.file));
  scene.write(0, 20);
  folioGet(scene.mem, scene.folio(1));
  folioTrylock(scene.mem, scene.folio(2));
  assert.equal(runToEnd(invalidateMappingPages(scene.mem, scene.file, 0, 6)), 4);
  const left = [0, 1, 2, 3, 7].filter((page) => scene.file.folios.load(page) !== null);
  assert.deepEqual(left, [0, 1, 2, 7]);
  folioUnlock(scene.mem, scene.folio(2));
  folioPut(scene.mem, scene.folio(1));
});

test("everything is dropped if its owner launders it, held or not; if not, what is dirty stays", () => {
  const kept = new Scene();
  assert.equal(runToEnd(invalidateInodePages2(kept.mem, kept.file, 0, 7)), "EBUSY");
  assert.equal(kept.file.folios.pageCount, 8);

  const laundered: number[] = [];
  const scene = new Scene(0, 0, {
    *launderFolio(mem, mapping, folio): Blocking<"done"> {
      yield "launder";
      laundered.push(mem.index[folio]);
      mem.flags[folio] &= ~PG.dirty;
      mem.nodes[0].dirtyPages--;
      mem.zones[0].writePendingPages--;
      assert.equal(mapping.name, "a small file");
      return "done";
    },
  });
  const held = scene.folio(4);
  folioGet(scene.mem, held);
  assert.equal(runToEnd(invalidateInodePages2(scene.mem, scene.file, 0, 7)), "done");
  assert.deepEqual(laundered, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(scene.file.folios.pageCount, 0);
  assert.equal(scene.mem.mapping[held], 0);
  folioPut(scene.mem, held);
});

test("a folio leaves its file only while nobody else holds it and it is clean", () => {
  const scene = new Scene();
  const { mem, file } = scene;
  const remove = (page: number): boolean => {
    const folio = scene.folio(page);
    folioGet(mem, folio);
    folioTrylock(mem, folio);
    const isRemoved = runToEnd(removeMapping(mem, file, folio));
    folioUnlock(mem, folio);
    folioPut(mem, folio);
    return isRemoved;
  };
  assert.equal(remove(0), false, "dirty");
  runToEnd(filemapWriteAndWait(mem, file));
  folioGet(mem, scene.folio(1));
  assert.equal(remove(1), false, "held");
  folioPut(mem, scene.folio(1));
  assert.equal(remove(1), true);
  assert.equal(file.folios.load(1), null);
});
