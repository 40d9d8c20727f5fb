/** A folio with a buffer that is being written by itself: what fsync and what others do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../../memory/byte-frames.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { Clock } from "../../sched/clock.ts";
import { runTasks } from "../../sched/run.ts";
import { Task } from "../../sched/task.ts";
import type { AddressSpace } from "../address-space.ts";
import { getblk, openBlkdev } from "../blkdev.ts";
import { MemoryDevice, SlowDevice } from "../device/block-device.ts";
import { PageCache } from "../page-cache.ts";
import { genericPerformWrite } from "../write.ts";
import { doWritepages, filemapWriteAndWait } from "../write-cache-pages.ts";
import { writeDirtyBuffer } from "./write-buffers.ts";

interface Scene {
  readonly mem: Memory;
  readonly disk: MemoryDevice;
  readonly slow: SlowDevice;
  readonly clock: Clock;
  readonly device: AddressSpace;
}

function newScene(): Scene {
  const mem = smallMemory({ pageCount: 64, frames: byteFrames(64, 16) });
  const clock = new Clock();
  const disk = new MemoryDevice(mem);
  const slowness = { latencyMin: 50, latencyMax: 50, errorProbability: 0, seed: 1 };
  const slow = new SlowDevice(disk, clock, slowness);
  const shape = { name: "a device", device: slow, sizeBytes: 4096, blockBytes: 1024 };
  // biome-ignore lint/correctness/useYield: nothing moves here
  const device = openBlkdev(new PageCache(mem), shape, function* (): Blocking<"EAGAIN"> {
    return "EAGAIN";
  });
  return { mem, disk, slow, clock, device };
}

/** Block 0 holds 1 and is on its way to the device; the cache has 2 there by now. */
function* writeTwice({ mem, slow, device }: Scene): Blocking<Folio> {
  assert.equal(yield* genericPerformWrite(mem, device, 0, new Int32Array(1024).fill(1)), 1024);
  const bh = yield* getblk(mem, device, 0);
  assert.ok(typeof bh !== "string");
  yield* writeDirtyBuffer(slow, bh);
  bh.put();
  yield* genericPerformWrite(mem, device, 0, Int32Array.of(2));
  return bh.folio;
}

test("fsync waits for a buffer that is on its way, and writes what it holds by then", () => {
  const scene = newScene();
  const { mem, disk, clock, device } = scene;
  function* write(): Blocking<void> {
    const folio = yield* writeTwice(scene);
    assert.equal(yield* filemapWriteAndWait(mem, device), "done");
    assert.deepEqual([disk.readWord(0), disk.readWord(256)], [2, 1]);
    assert.equal(mem.flags[folio] & (PG.dirty | PG.writeback | PG.locked), 0);
  }
  runTasks([new Task("writer", write())], clock);
  assert.equal(clock.now, 100, "one write after the other");
});

test("who only wants memory clean leaves the buffer, and the folio dirty", () => {
  const scene = newScene();
  const { mem, disk, clock, device } = scene;
  function* write(): Blocking<void> {
    const folio = yield* writeTwice(scene);
    const control = { sync: "none", first: 0, last: 0, pagesToWrite: 1 } as const;
    yield* doWritepages(mem, device, { ...control });
    assert.notEqual(mem.flags[folio] & PG.dirty, 0);
  }
  runTasks([new Task("writer", write())], clock);
  assert.deepEqual([disk.readWord(0), disk.readWord(256)], [2, 1]);
  assert.equal(clock.now, 50);
});
