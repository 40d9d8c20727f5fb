import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../../memory/byte-frames.ts";
import { folioTrylock } from "../../memory/folio-lock.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import { Clock } from "../../sched/clock.ts";
import { runToEnd } from "../../sched/run.ts";
import type { AddressSpace } from "../address-space.ts";
import { type BlockDevice, MemoryDevice, SlowDevice } from "../device/block-device.ts";
import { filemapAddFolio, PageCache } from "../page-cache.ts";
import { folioClearDirtyForIo } from "../writeback.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { attachBuffers } from "./small-buffers.ts";
import { blockWriteFullFolio, writeDirtyBuffer } from "./write-buffers.ts";

/** Words of a block: four blocks to a page of 1024 words. */
const BLOCK_WORDS = 256;

/** A dirty, locked folio at page 2 of a device, each block with a word of its own. */
interface Scene {
  readonly mem: Memory;
  readonly mapping: AddressSpace;
  readonly folio: Folio;
  readonly ring: readonly BufferHead[];
  readonly clock: Clock;
  readonly disk: MemoryDevice;
}

function newScene(): Scene {
  const mem = smallMemory({ pageCount: 64, frames: byteFrames(64, 16) });
  const mapping = new PageCache(mem).createMapping("a device", {});
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null, "the memory has room");
  mem.frames.clear(folio);
  mem.flags[folio] |= PG.uptodate | PG.dirty;
  filemapAddFolio(mem, mapping, folio, 2);
  const ring = attachBuffers(mem, mapping, folio);
  for (const at of ring.keys()) mem.frames.writeWord(folio, at * BLOCK_WORDS, 100 + at);
  folioTrylock(mem, folio);
  return { mem, mapping, folio, ring, clock: new Clock(), disk: new MemoryDevice(mem) };
}

function slow(
  scene: Scene,
  latencyMin: number,
  latencyMax: number,
  errorProbability: number,
): SlowDevice {
  const slowness = { latencyMin, latencyMax, errorProbability, seed: 3 };
  return new SlowDevice(scene.disk, scene.clock, slowness);
}

function write({ mem, mapping, folio }: Scene, device: BlockDevice): void {
  assert.ok(runToEnd(folioClearDirtyForIo(mem, mapping, folio)));
  assert.equal(runToEnd(blockWriteFullFolio(mem, mapping, folio, device, "none")), "started");
}

/** The first word of each of the folio's blocks, as the disk has it. */
function onDisk({ disk }: Scene): number[] {
  return [8, 9, 10, 11].map((block) => disk.readWord(block * BLOCK_WORDS));
}

function flagsOf({ mem, folio }: Scene): string[] {
  const names = ["locked", "dirty", "writeback", "error"] as const;
  return names.filter((name) => (mem.flags[folio] & PG[name]) !== 0);
}

test("every dirty block is on the disk at the end, the folio unlocked, clean and not under writeback", () => {
  const scene = newScene();
  write(scene, scene.disk);
  assert.deepEqual(onDisk(scene), [100, 101, 102, 103]);
  assert.deepEqual(flagsOf(scene), []);
  assert.ok(scene.ring.every(({ state }) => state === (BH.uptodate | BH.mapped)));
});

test("a block that is clean is not written", () => {
  const scene = newScene();
  for (const at of [0, 2]) scene.ring[at].state &= ~BH.dirty;
  write(scene, scene.disk);
  assert.deepEqual(onDisk(scene), [0, 101, 0, 103]);
  assert.deepEqual(flagsOf(scene), []);
});

test("with nothing to write the writeback is over at once", () => {
  const scene = newScene();
  for (const bh of scene.ring) bh.state &= ~BH.dirty;
  write(scene, scene.disk);
  assert.deepEqual(onDisk(scene), [0, 0, 0, 0]);
  assert.deepEqual(flagsOf(scene), []);
});

test("a block under I/O is left dirty, and its folio with it", () => {
  const scene = newScene();
  assert.ok(scene.ring[1].trylock());
  write(scene, scene.disk);
  assert.deepEqual(onDisk(scene), [100, 0, 102, 103]);
  assert.deepEqual(flagsOf(scene), ["dirty"]);
  assert.equal(scene.ring[1].state & BH.dirty, BH.dirty);
});

test("the folio is under writeback until the last of its blocks is written, in any order", () => {
  const scene = newScene();
  const device = slow(scene, 10, 1000, 0);
  write(scene, device);
  assert.equal(device.inFlight, 4);
  const ends: number[] = [];
  while (device.inFlight > 0) {
    assert.deepEqual(flagsOf(scene), ["writeback"]);
    const before = scene.ring.map(({ state }) => state & BH.locked);
    assert.ok(scene.clock.advance());
    ends.push(scene.ring.findIndex(({ state }, at) => (state & BH.locked) !== before[at]));
  }
  assert.deepEqual(flagsOf(scene), []);
  assert.deepEqual(onDisk(scene), [100, 101, 102, 103]);
  assert.deepEqual(ends.toSorted(), [0, 1, 2, 3]);
  assert.notDeepEqual(ends, [0, 1, 2, 3], "this seed has them end out of order");
});

test("a device reads the bytes when it writes them, not when it is told to", () => {
  const scene = newScene();
  write(scene, slow(scene, 50, 50, 0));
  scene.mem.frames.writeWord(scene.folio, 0, 555);
  while (scene.clock.advance());
  assert.deepEqual(onDisk(scene), [555, 101, 102, 103]);
});

test("an error takes the block's uptodate and marks the folio; the disk has what it had", () => {
  const scene = newScene();
  write(scene, slow(scene, 50, 50, 1));
  while (scene.clock.advance());
  assert.deepEqual(onDisk(scene), [0, 0, 0, 0]);
  assert.deepEqual(flagsOf(scene), ["error"]);
  assert.ok(scene.ring.every(({ state }) => state === BH.mapped));
});

test("some requests fail, the same for one seed", () => {
  const run = (): string => {
    const scene = newScene();
    write(scene, slow(scene, 10, 90, 0.5));
    while (scene.clock.advance());
    return `${onDisk(scene)} after ${scene.clock.now}`;
  };
  assert.equal(run(), run());
  assert.match(run(), /\b0\b.* after/);
  assert.match(run(), /10\d.* after/);
});

test("one buffer is held and locked while it is written, and the folio is not concerned", () => {
  const scene = newScene();
  const bh = scene.ring[2];
  runToEnd(writeDirtyBuffer(slow(scene, 70, 70, 0), bh));
  assert.deepEqual([bh.count, bh.state & (BH.locked | BH.dirty)], [1, BH.locked]);
  assert.deepEqual(flagsOf(scene), ["locked", "dirty"]);
  while (scene.clock.advance());
  assert.deepEqual([bh.count, bh.state & BH.locked], [0, 0]);
  assert.deepEqual(onDisk(scene), [0, 0, 102, 0]);
  runToEnd(writeDirtyBuffer(scene.disk, bh));
  assert.deepEqual([bh.count, bh.state & BH.locked], [0, 0], "clean: nothing to do");
});

test("what is read comes from the disk", () => {
  const scene = newScene();
  write(scene, scene.disk);
  const { mem, folio, disk } = scene;
  mem.frames.clear(folio);
  let result = "";
  const done = (ended: string): void => {
    result = ended;
  };
  disk.submit({ kind: "read", block: 9, sizeBytes: 1024, folio, offsetBytes: 1024, done });
  assert.equal(result, "done");
  assert.deepEqual([mem.frames.readWord(folio, 0), mem.frames.readWord(folio, 256)], [0, 101]);
});

test("what cannot be written is told", () => {
  const scene = newScene();
  scene.ring[0].state &= ~BH.mapped;
  assert.throws(() => write(scene, scene.disk), /a buffer to be written has no block/);
  const other = newScene();
  other.mem.flags[other.folio] &= ~PG.locked;
  assert.throws(() => write(other, other.disk), /a folio to be written is not locked/);
});
