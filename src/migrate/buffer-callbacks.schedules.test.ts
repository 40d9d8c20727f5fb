/** Whole calls that move folios with buffers: who is waited for, and what is undone where. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { AddressSpace, MigrateFolio, MigrateMode } from "../pagecache/address-space.ts";
import { BH, type BufferHead } from "../pagecache/buffers/buffer-head.ts";
import { attachBuffers } from "../pagecache/buffers/small-buffers.ts";
import { writeDirtyBuffer } from "../pagecache/buffers/write-buffers.ts";
import { MemoryDevice, SlowDevice } from "../pagecache/device/block-device.ts";
import { filemapRemoveFolio } from "../pagecache/page-cache.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Clock } from "../sched/clock.ts";
import { runTasks, runToEnd } from "../sched/run.ts";
import { Task } from "../sched/task.ts";
import { cachedFolio, smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { bufferMigrateFolio, bufferMigrateFolioNorefs } from "./buffer-callbacks.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

class Scene {
  readonly vm: Vm = smallVm();
  readonly clock: Clock = new Clock();
  readonly mapping: AddressSpace;
  readonly folio: Folio;
  readonly ring: readonly BufferHead[];
  result: MigrateResult | null = null;
  end = -1;

  constructor(migrateFolio: MigrateFolio) {
    this.mapping = this.vm.cache.createMapping("sda", { migrateFolio });
    this.folio = cachedFolio(this.vm, this.mapping, 0, 42);
    this.ring = attachBuffers(this.vm.mem, this.mapping, this.folio);
  }

  mover(mode: MigrateMode): Task {
    const { vm } = this;
    const list = vm.mem.takeList();
    assert.ok(isolateForMigration(vm.mem, this.folio, list));
    const scene = this;
    function* move(): Blocking<void> {
      const target = new AllocTarget(vm.mem);
      scene.result = yield* migratePages(vm, list, target, mode, "compaction");
      scene.end = scene.clock.now;
    }
    return new Task("mover", move());
  }

  /** Where the buffers say that their bytes are. */
  frames(): Set<number> {
    return new Set(this.ring.map(({ folio }) => folio));
  }

  assertQuiet(): void {
    assert.ok(this.ring.every(({ state }) => (state & BH.locked) === 0));
    assert.equal(this.mapping.privateLock.held, false);
  }
}

for (const callback of [bufferMigrateFolio, bufferMigrateFolioNorefs]) {
  for (const mode of ["sync-light", "sync", "sync-no-copy"] as const) {
    test(`${callback.name} in mode ${mode} waits for the I/O on one buffer, then moves`, () => {
      const scene = new Scene(callback);
      assert.ok(scene.ring[2].trylock());
      scene.clock.after(900, () => scene.ring[2].unlock());
      runTasks([scene.mover(mode)], scene.clock);
      assert.deepEqual([scene.result?.notMoved, scene.end], [0, 900]);
      assert.deepEqual([...scene.frames()], [scene.mapping.folios.load(0)]);
      scene.assertQuiet();
    });
  }

  test(`${callback.name} in mode async never sleeps, and the folio stays for the I/O`, () => {
    const scene = new Scene(callback);
    assert.ok(scene.ring[2].trylock());
    scene.clock.after(10, () => assert.fail("time moved on: somebody slept"));
    const mover = scene.mover("async");
    while (mover.state === "runnable") mover.step();
    assert.equal(mover.state, "finished");
    assert.equal(scene.result?.notMoved, 1);
    assert.equal(scene.vm.mem.events.refusals.counts.buffer_locked, 10);
    assert.deepEqual([...scene.frames()], [scene.folio]);
    scene.ring[2].unlock();
    scene.assertQuiet();
  });

  test(`${callback.name} undoes everything if a reference appears before the swap`, () => {
    const scene = new Scene(callback);
    const { mem } = scene.vm;
    const mover = scene.mover("sync");
    while (mover.point !== "migrate-mapping-count") mover.step();
    folioGet(mem, scene.folio);
    mover.step();
    assert.deepEqual([...scene.frames()], [scene.folio]);
    assert.equal(scene.mapping.folios.load(0), scene.folio);
    scene.assertQuiet();
    folioPut(mem, scene.folio);
    runTasks([mover], scene.clock);
    assert.equal(scene.result?.notMoved, 0, "the next pass has it");
    scene.assertQuiet();
  });
}

test("private_lock is held from the scan until the bytes are there, and only for a device", () => {
  const held = (callback: MigrateFolio): Record<string, boolean> => {
    const scene = new Scene(callback);
    const points: Record<string, boolean> = {};
    const mover = scene.mover("sync");
    for (mover.step(); mover.state === "runnable"; mover.step()) {
      points[mover.point] = scene.mapping.privateLock.held;
    }
    scene.assertQuiet();
    return points;
  };
  const device = held(bufferMigrateFolioNorefs);
  const points = ["buffers-scanned", "migrate-mapping-count", "buffers-point-at-dst"];
  for (const point of points) assert.equal(device[point], true, point);
  const file = held(bufferMigrateFolio);
  for (const point of points.slice(1)) assert.equal(file[point], false, point);
  assert.equal(file["buffers-scanned"], undefined);
});

test("an owner that would sleep for a buffer in mode async is named", () => {
  const scene = new Scene(function* waits(): Blocking<"EAGAIN"> {
    yield* scene.ring[1].lock();
    return "EAGAIN";
  });
  assert.ok(scene.ring[1].trylock());
  const mover = scene.mover("async");
  assert.throws(
    () => {
      while (mover.state === "runnable") mover.step();
    },
    { name: "SleptError", message: "sda must not sleep here and would on: buffer" },
  );
});

for (const [mode, outcome, end] of [
  ["sync-light", 0, 400],
  ["sync", 0, 400],
  ["async", 1, 0],
] as const) {
  test(`a block on its way to the disk, held and locked: ${mode} ends with ${outcome} left`, () => {
    const scene = new Scene(bufferMigrateFolioNorefs);
    const { mem } = scene.vm;
    const disk = new MemoryDevice(mem);
    const slowness = { latencyMin: 400, latencyMax: 400, errorProbability: 0, seed: 1 };
    scene.ring[3].state |= BH.dirty;
    runToEnd(writeDirtyBuffer(new SlowDevice(disk, scene.clock, slowness), scene.ring[3]));
    runTasks([scene.mover(mode)], scene.clock);
    assert.deepEqual([scene.result?.notMoved, scene.end], [outcome, end]);
    while (scene.clock.advance());
    assert.equal(disk.readWord(3 * 256), 42, "written from where the bytes were");
    assert.equal(scene.ring[3].count, 0);
    scene.assertQuiet();
  });
}

test("a truncated folio whose ring is in use stays, and is freed once the ring is not", () => {
  const scene = new Scene(bufferMigrateFolio);
  const { mem } = scene.vm;
  const freePages = mem.zones[0].freePages;
  scene.ring[1].get();
  assert.ok(folioTrylock(mem, scene.folio));
  filemapRemoveFolio(mem, scene.mapping, scene.folio);
  folioUnlock(mem, scene.folio);
  const mover = scene.mover("sync");
  while (mem.events.refusals.counts.orphaned < 5) mover.step();
  assert.equal(scene.mapping.buffers.ringCount, 1);
  scene.ring[1].put();
  runTasks([mover], scene.clock);
  assert.equal(scene.result?.notMoved, 0, "nothing is left to move");
  assert.equal(mem.events.refusals.counts.orphaned, 6);
  assert.equal(scene.mapping.buffers.ringCount, 0);
  assert.equal(mem.zones[0].freePages, freePages + 1);
});
