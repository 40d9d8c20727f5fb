import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import type { AddressSpace, MigrateOutcome } from "./address-space.ts";
import { bread, getblk, openBlkdev } from "./blkdev.ts";
import { BH, type BufferHead } from "./buffers/buffer-head.ts";
import { createEmptyBuffers } from "./buffers/folio-buffers.ts";
import { type BlockRequest, MemoryDevice } from "./device/block-device.ts";
import { FileReadahead } from "./file-readahead.ts";
import { folioMarkDirty } from "./mark-dirty.ts";
import { filemapAddFolio, filemapReleaseFolio, PageCache } from "./page-cache.ts";
import { filemapRead } from "./read.ts";
import { truncateFile } from "./truncate.ts";
import { genericPerformWrite } from "./write.ts";
import { filemapWriteAndWait } from "./write-cache-pages.ts";

const FRAMES = 64;
const BLOCK_WORDS = 256;

/** A device of 16 pages whose word n holds n, and the blocks that were asked of it. */
class Scene {
  readonly mem: Memory = smallMemory({ pageCount: FRAMES, frames: byteFrames(FRAMES, 16) });
  readonly disk: MemoryDevice = new MemoryDevice(this.mem);
  readonly cache: PageCache = new PageCache(this.mem);
  readonly asked: string[] = [];
  readonly blkdev: AddressSpace;
  fails = false;

  constructor() {
    for (let word = 0; word < 16 * 1024; word++) this.disk.writeWord(word, word);
    const submit = (request: BlockRequest): void => {
      this.asked.push(`${request.kind} ${request.block}`);
      if (this.fails) request.done("EIO");
      else this.disk.submit(request);
    };
    const shape = { name: "sda", device: { submit }, sizeBytes: 16 * 4096, blockBytes: 1024 };
    this.blkdev = openBlkdev(this.cache, shape, refuses);
  }

  bread(block: number): BufferHead {
    return held(runToEnd(bread(this.mem, this.blkdev, block)));
  }

  word(bh: BufferHead): number {
    return this.mem.frames.readWord(bh.folio, bh.offsetBytes / 4);
  }
}

function* refuses(): Blocking<MigrateOutcome> {
  yield "refuses";
  return "EBUSY";
}

function held(bh: BufferHead | string): BufferHead {
  assert.ok(typeof bh !== "string", `no buffer: ${bh}`);
  return bh;
}

test("a block is read once, alone, and found again by its number", () => {
  const scene = new Scene();
  const bh = scene.bread(5);
  assert.equal(scene.word(bh), 5 * BLOCK_WORDS);
  assert.equal(scene.bread(5), bh);
  assert.deepEqual(scene.asked, ["read 5"]);
  assert.equal(bh.count, 3, "two of the callers, one of the lookup cache");
  assert.equal(scene.mem.flags[bh.folio] & (PG.uptodate | PG.locked), 0, "its page is not read");
});

test("a block that is only gotten is not read", () => {
  const scene = new Scene();
  const bh = held(runToEnd(getblk(scene.mem, scene.blkdev, 6)));
  assert.equal(bh.state & (BH.uptodate | BH.mapped), BH.mapped);
  assert.deepEqual(scene.asked, []);
});

test("a page is read but for the blocks that are there, and then it is uptodate", () => {
  const scene = new Scene();
  scene.bread(5).put();
  const words = new Int32Array(1024);
  const state = new FileReadahead(0);
  assert.equal(runToEnd(filemapRead(scene.mem, scene.blkdev, state, 4096, words)), 1024);
  assert.deepEqual([words[0], words[1], words[1023]], [1024, 1025, 2047]);
  assert.deepEqual(scene.asked, ["read 5", "read 4", "read 6", "read 7"]);
});

test("a block that cannot be read is an error and nobody's", () => {
  const scene = new Scene();
  scene.fails = true;
  assert.equal(runToEnd(bread(scene.mem, scene.blkdev, 5)), "EIO");
  scene.fails = false;
  assert.equal(scene.word(scene.bread(5)), 5 * BLOCK_WORDS);
});

test("a write reads blocks that it covers in part, and only what it touched is written back", () => {
  const scene = new Scene();
  const { mem, blkdev } = scene;
  // From the middle of block 4 to the end of block 5.
  const words = new Int32Array(384).fill(7);
  const at = (4 * BLOCK_WORDS + 128) * 4;
  assert.equal(runToEnd(genericPerformWrite(mem, blkdev, at, words)), 384);
  assert.deepEqual(scene.asked.splice(0), ["read 4"]);
  const folio = blkdev.folios.load(1) ?? assert.fail();
  assert.equal(mem.flags[folio] & (PG.uptodate | PG.dirty), PG.dirty);
  assert.equal(mem.nodes[0].dirtyPages, 1);
  assert.equal(runToEnd(filemapWriteAndWait(mem, blkdev)), "done");
  assert.deepEqual(scene.asked, ["write 4", "write 5"]);
  const onDisk = [0, 127, 128, 511, 512].map((word) => scene.disk.readWord(1024 + word));
  assert.deepEqual(onDisk, [1024, 1151, 7, 7, 1536]);
  assert.equal(mem.nodes[0].dirtyPages, 0);
});

test("a page that is dirtied after its buffers were freed is written as a whole", () => {
  const scene = new Scene();
  const { mem, blkdev } = scene;
  const words = new Int32Array(1024);
  runToEnd(filemapRead(mem, blkdev, new FileReadahead(0), 0, words));
  const folio = blkdev.folios.load(0) ?? assert.fail();
  assert.ok(folioTrylock(mem, folio));
  assert.equal(runToEnd(filemapReleaseFolio(mem, blkdev, folio)), true);
  folioUnlock(mem, folio);
  mem.frames.writeWord(folio, 300, 7);
  runToEnd(folioMarkDirty(mem, blkdev, folio));
  scene.asked.length = 0;
  assert.equal(runToEnd(filemapWriteAndWait(mem, blkdev)), "done");
  assert.deepEqual(scene.asked, ["write 0", "write 1", "write 2", "write 3"]);
  assert.equal(scene.disk.readWord(300), 7);
});

test("a folio of any order has a buffer for each of its blocks, and they can be freed again", () => {
  const scene = new Scene();
  const { mem, blkdev } = scene;
  const folio = folioAlloc(mem, { ...movableRequest(0), order: 2 });
  assert.ok(folio !== null && folioTrylock(mem, folio));
  filemapAddFolio(mem, blkdev, folio, 8);
  const ring = runToEnd(createEmptyBuffers(mem, blkdev, folio, 1024)).ring();
  assert.equal(ring.length, 16);
  assert.equal(ring[15].offsetBytes, 15 * 1024);
  assert.equal(runToEnd(filemapReleaseFolio(mem, blkdev, folio)), true);
  assert.equal(mem.refcount[folio], 5, "the allocation's and one for each page");
  assert.equal(scene.cache.buffers.ringCount, 0);
});

test("blocks that are cut off lose their place, and who holds one keeps it as an orphan", () => {
  const scene = new Scene();
  const { mem, blkdev, cache } = scene;
  const kept = scene.bread(4);
  scene.bread(8).put();
  cache.buffers.lrus.invalidate();
  assert.equal(runToEnd(truncateFile(mem, blkdev, 0)), "done");
  lruAddDrain(mem);
  assert.equal(blkdev.folios.pageCount, 0);
  assert.equal(cache.buffers.ringCount, 1, "of the block that is held");
  assert.equal(kept.state & BH.mapped, 0);
  assert.equal(mem.mapping[kept.folio], 0);
});
