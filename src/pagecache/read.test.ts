import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import { runToEnd } from "../sched/run.ts";
import type { AddressSpace } from "./address-space.ts";
import { type BlockRequest, MemoryDevice } from "./device/block-device.ts";
import { FileReadahead } from "./file-readahead.ts";
import { PageCache } from "./page-cache.ts";
import { filemapRead } from "./read.ts";
import { smallFile } from "./small-file.ts";

const PAGES = 100;
const FRAMES = 256;

/** A file whose word n holds n, and the blocks that were read of it, in order. */
class Scene {
  readonly mem: Memory = smallMemory({ pageCount: FRAMES, frames: byteFrames(FRAMES, 16) });
  readonly file: AddressSpace;
  readonly state: FileReadahead = new FileReadahead();
  readonly blocks: number[] = [];

  constructor(disk: "works" | "fails" = "works") {
    const device = new MemoryDevice(this.mem);
    for (let word = 0; word < PAGES * 1024; word++) device.writeWord(word, word);
    const submit = (request: BlockRequest): void => {
      this.blocks.push(request.block);
      if (disk === "fails") request.done("EIO");
      else device.submit(request);
    };
    this.file = smallFile(new PageCache(this.mem), { submit }, PAGES);
  }

  read(word: number, count: number): unknown {
    const words = new Int32Array(count);
    const result = runToEnd(filemapRead(this.mem, this.file, this.state, word * 4, words));
    return typeof result === "string" ? result : [...words.subarray(0, result)];
  }

  /** The offsets of what is cached, and which of them begins the next window. */
  get cached(): { last: number; marked: number[] } {
    const marked: number[] = [];
    let last = -1;
    this.file.folios.forEach((offset, folio) => {
      last = offset;
      if ((this.mem.flags[folio] & PG.readahead) !== 0) marked.push(offset);
    });
    return { last, marked };
  }
}

test("what is read is what the file holds, over the borders of pages, and no further than its end", () => {
  const scene = new Scene();
  assert.deepEqual(scene.read(1022, 4), [1022, 1023, 1024, 1025]);
  assert.deepEqual(scene.read(5, 1), [5]);
  assert.deepEqual(scene.read(PAGES * 1024 - 2, 9), [PAGES * 1024 - 2, PAGES * 1024 - 1]);
  assert.deepEqual(scene.read(PAGES * 1024, 1), []);
});

test("what is cached is not read again, and its batch alone holds it", () => {
  const scene = new Scene();
  scene.read(0, 1);
  const { length } = scene.blocks;
  scene.read(0, 1024);
  assert.equal(scene.blocks.length, length);
  const folio = scene.file.folios.load(0) ?? assert.fail();
  assert.equal(scene.mem.refcount[folio], 2);
  assert.equal(scene.mem.flags[folio] & (PG.uptodate | PG.locked), PG.uptodate);
});

test("a reader in sequence has growing windows read ahead, begun at the marked page", () => {
  const scene = new Scene();
  const seen: unknown[] = [];
  for (let page = 0; page < 40; page++) {
    const before = scene.blocks.length;
    scene.read(page * 1024, 1);
    if (scene.blocks.length > before) {
      seen.push([page, before, scene.blocks.length, scene.cached.marked]);
    }
  }
  // Read at page, blocks from and to, where the next window begins.
  assert.deepEqual(seen, [
    [0, 0, 4, [1]],
    [1, 4, 12, [4]],
    [4, 12, 28, [12]],
    [12, 28, 60, [28]],
    [28, 60, 92, [60]],
  ]);
  assert.deepEqual(
    scene.blocks,
    Array.from({ length: 92 }, (_, at) => at),
  );
});

test("a read somewhere else brings what it wants and no more", () => {
  const scene = new Scene();
  scene.read(50 * 1024, 1);
  assert.deepEqual(scene.blocks, [50]);
  scene.read(70 * 1024, 2048);
  assert.deepEqual(scene.blocks, [50, 70, 71]);
});

test("a window ends at the file's end and goes around what is cached", () => {
  const scene = new Scene();
  scene.read(98 * 1024, 1);
  scene.read(96 * 1024, 1);
  scene.blocks.length = 0;
  assert.equal(Array.isArray(scene.read(97 * 1024, 3 * 1024)), true);
  assert.deepEqual(scene.blocks, [97, 99]);
});

test("without readahead each page is read when it is wanted", () => {
  const scene = new Scene();
  const state = new FileReadahead(0);
  const words = new Int32Array(2048);
  assert.equal(runToEnd(filemapRead(scene.mem, scene.file, state, 0, words)), 2048);
  assert.deepEqual(scene.blocks, [0, 1]);
});

test("what cannot be read is an error, and stays out of date in the cache", () => {
  const scene = new Scene("fails");
  assert.equal(scene.read(0, 1), "EIO");
  const folio = scene.file.folios.load(0) ?? assert.fail();
  assert.equal(scene.mem.flags[folio] & (PG.uptodate | PG.locked), 0);
});

test("without memory there is nothing to read into, and nothing stays behind", () => {
  const scene = new Scene();
  while (folioAlloc(scene.mem, movableRequest(0)) !== null);
  assert.equal(scene.read(0, 1), "ENOMEM");
  assert.equal(scene.file.folios.pageCount, 0);
  assert.equal(scene.file.invalidateLock.held, false);
});
