import assert from "node:assert/strict";
import { test } from "node:test";
import { folioPut } from "../../memory/folio-ref.ts";
import { lruCacheDisable, lruCacheEnable } from "../../memory/lru.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import { runToEnd } from "../../sched/run.ts";
import type { AddressSpace } from "../address-space.ts";
import { filemapAddFolio, PageCache } from "../page-cache.ts";
import type { BufferHead } from "./buffer-head.ts";
import { findGetBlock } from "./find-block.ts";
import { attachBuffers, SMALL_BLOCK_BYTES } from "./small-buffers.ts";

/** A device of which the first five pages, twenty blocks, are cached; two processors. */
interface Device {
  readonly mem: Memory;
  readonly device: AddressSpace;
  /** By block. */
  readonly blocks: readonly BufferHead[];
}

function newDevice(): Device {
  const mem = smallMemory({ pageCount: 64, nodeOfCpu: [0, 0] });
  const device = new PageCache(mem).createMapping("a device", {});
  const blocks: BufferHead[] = [];
  for (let offset = 0; offset < 5; offset++) {
    const folio = folioAlloc(mem, movableRequest(0));
    assert.ok(folio !== null, "the memory has room");
    filemapAddFolio(mem, device, folio, offset);
    blocks.push(...attachBuffers(mem, device, folio));
    folioPut(mem, folio);
  }
  return { mem, device, blocks };
}

function find({ mem, device }: Device, block: number): BufferHead | null {
  return runToEnd(findGetBlock(mem, device, block, SMALL_BLOCK_BYTES));
}

test("a block is found in its folio, held for the caller and remembered, the folio let go", () => {
  const scene = newDevice();
  const { mem, device, blocks } = scene;
  for (const block of [0, 3, 4, 19]) {
    const bh = find(scene, block);
    assert.equal(bh, blocks[block]);
    assert.equal(bh?.count, 2, "the caller and the cache of this processor");
    assert.equal(mem.refcount[blocks[block].folio], 2, "the cache and the ring");
  }
  assert.equal(find(scene, 20), null, "not cached");
  assert.equal(device.privateLock.held, false);
});

test("a block that is not mapped yet is not found by number", () => {
  const scene = newDevice();
  scene.blocks[7].block = -1;
  assert.equal(find(scene, 7), null);
});

test("what was looked up last needs no lock, on the processor that looked", () => {
  const scene = newDevice();
  const { mem, device, blocks } = scene;
  find(scene, 2)?.put();
  device.privateLock.held = true;
  assert.equal(find(scene, 2), blocks[2]);
  assert.equal(blocks[2].count, 2);
  mem.cpu = 1;
  assert.throws(() => find(scene, 2), { message: /would sleep on: private_lock/ });
});

test("a processor remembers sixteen, and the longest unused goes first", () => {
  const scene = newDevice();
  const { blocks } = scene;
  for (let block = 0; block < 16; block++) find(scene, block)?.put();
  find(scene, 0)?.put();
  find(scene, 16)?.put();
  const held = blocks.flatMap(({ count }, at) => (count === 1 ? [at] : []));
  assert.deepEqual(held, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
});

test("a block looked up on two processors is held by both, until all are invalidated", () => {
  const scene = newDevice();
  const { mem, device, blocks } = scene;
  for (mem.cpu = 0; mem.cpu < 2; mem.cpu++) find(scene, 5)?.put();
  mem.cpu = 0;
  assert.equal(blocks[5].count, 2);
  device.buffers.lrus.invalidate();
  assert.equal(blocks[5].count, 0);
});

test("while the LRU batches are disabled nothing is remembered", () => {
  const scene = newDevice();
  const { mem, blocks } = scene;
  for (mem.cpu = 0; mem.cpu < 2; mem.cpu++) find(scene, 5)?.put();
  mem.cpu = 0;
  lruCacheDisable(mem);
  assert.equal(blocks[5].count, 0, "emptied on every processor");
  find(scene, 6)?.put();
  assert.equal(blocks[6].count, 0);
  lruCacheEnable(mem);
  find(scene, 6)?.put();
  assert.equal(blocks[6].count, 1);
});
