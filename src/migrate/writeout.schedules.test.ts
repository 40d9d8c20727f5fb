/** Owners without `migrateFolio`: a dirty folio is written out, and then it moves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace, MigrateMode, WritepageOutcome } from "../pagecache/address-space.ts";
import type { BufferHead } from "../pagecache/buffers/buffer-head.ts";
import { attachBuffers } from "../pagecache/buffers/small-buffers.ts";
import { blockWriteFullFolio } from "../pagecache/buffers/write-buffers.ts";
import { MemoryDevice, SlowDevice } from "../pagecache/device/block-device.ts";
import { filemapRemoveFolio } from "../pagecache/page-cache.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Clock } from "../sched/clock.ts";
import { runTasks } from "../sched/run.ts";
import { Task } from "../sched/task.ts";
import { PTE } from "../vm/pte.ts";
import { cachedFolio, mapFilePage, smallVm, type UserPage } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

/** What `writepage` does in place of, or after, writing the buffers. */
type Writing = "writes" | "fails" | "activates" | "is truncated";

/** A dirty folio with buffers, mapped by a process, on a disk that takes 400 ns. */
class Scene {
  readonly vm: Vm = smallVm();
  readonly clock: Clock = new Clock();
  readonly disk: MemoryDevice = new MemoryDevice(this.vm.mem);
  readonly mapping: AddressSpace;
  readonly folio: Folio;
  readonly ring: readonly BufferHead[];
  readonly page: UserPage;
  /** By call of `writepage`: whether the process had its page then. */
  readonly written: boolean[] = [];
  result: MigrateResult | null = null;

  constructor(writing: Writing) {
    const { vm, clock } = this;
    const slowness = { latencyMin: 400, latencyMax: 400, errorProbability: 0, seed: 1 };
    const slow = new SlowDevice(this.disk, clock, slowness);
    const scene = this;
    this.mapping = vm.cache.createMapping("a file", {
      *writepage(mem, mapping, folio, sync): Blocking<WritepageOutcome> {
        scene.written.push((vm.tables.bits(scene.page.entry) & PTE.present) !== 0);
        if (writing === "activates") return "activate";
        if (writing === "writes") {
          return yield* blockWriteFullFolio(mem, mapping, folio, slow, sync);
        }
        if (writing === "is truncated") scene.truncate();
        folioUnlock(mem, folio);
        return writing === "fails" ? "EIO" : "started";
      },
    });
    this.folio = cachedFolio(vm, this.mapping, 0, 42);
    vm.mem.flags[this.folio] |= PG.dirty;
    this.ring = attachBuffers(vm.mem, this.mapping, this.folio);
    this.page = mapFilePage(vm, this.mapping, this.folio);
  }

  truncate(): void {
    const { vm, page } = this;
    const { mem } = vm;
    // The entry first, as zapping does, then the file's place; the ring stays behind.
    vm.tables.set(page.entry, page.folio, 0);
    mem.mapcount[this.folio]--;
    mem.refcount[this.folio]--;
    filemapRemoveFolio(mem, this.mapping, this.folio);
  }

  move(mode: MigrateMode): void {
    const { vm } = this;
    const list = vm.mem.takeList();
    assert.ok(isolateForMigration(vm.mem, this.folio, list));
    const scene = this;
    function* run(): Blocking<void> {
      const target = new AllocTarget(vm.mem);
      scene.result = yield* migratePages(vm, list, target, mode, "compaction");
    }
    runTasks([new Task("mover", run())], this.clock);
  }
}

for (const mode of ["sync", "sync-no-copy"] as const) {
  test(`in mode ${mode} a dirty folio is written out once, waited for and moved without buffers`, () => {
    const scene = new Scene("writes");
    const { vm, mapping, folio, page } = scene;
    scene.move(mode);
    assert.equal(scene.result?.notMoved, 0);
    assert.deepEqual(scene.written, [true], "mapped again before the owner unlocks it");
    assert.equal(scene.clock.now, 400, "the fourth pass waits for the writeback");
    assert.equal(scene.disk.readWord(0), 42);
    const dst = mapping.folios.load(0);
    assert.ok(dst !== null && dst !== folio);
    assert.equal(vm.tables.pfn(page.entry), dst);
    assert.equal(vm.mem.flags[dst] & (PG.private | PG.dirty | PG.writeback | PG.locked), 0);
    assert.equal(mapping.buffers.ringCount, 0);
    assert.equal(vm.mem.events.refusals.counts.private_dirty, 1);
    assert.equal(vm.mem.events.refusals.counts.writeback, 3);
  });
}

for (const mode of ["async", "sync-light"] as const) {
  test(`in mode ${mode} a dirty folio is not written out and stays`, () => {
    const scene = new Scene("writes");
    scene.move(mode);
    assert.equal(scene.result?.notMoved, 1);
    assert.deepEqual(scene.written, []);
    assert.ok((scene.vm.mem.flags[scene.folio] & PG.dirty) !== 0);
    assert.equal(scene.vm.tables.pfn(scene.page.entry), scene.folio);
    assert.equal(scene.mapping.buffers.ringCount, 1);
  });
}

test("a write that fails at once ends the tries on the folio", () => {
  const scene = new Scene("fails");
  scene.move("sync");
  assert.equal(scene.result?.notMoved, 1);
  assert.deepEqual(scene.written, [true]);
  assert.equal(scene.mapping.folios.load(0), scene.folio);
  assert.equal(scene.vm.tables.bits(scene.page.entry) & PTE.present, PTE.present);
  assert.ok(folioTrylock(scene.vm.mem, scene.folio), "left unlocked");
});

test("an owner that cannot write now keeps the lock, and the folio is tried again as it is", () => {
  const scene = new Scene("activates");
  scene.move("sync");
  assert.deepEqual(scene.written, [true]);
  assert.equal(scene.result?.notMoved, 1, "its buffers are dirty still, and are not given up");
  assert.equal(scene.vm.mem.events.refusals.counts.private_busy, 9);
  assert.equal(scene.mapping.folios.load(0), scene.folio);
  assert.ok(folioTrylock(scene.vm.mem, scene.folio), "left unlocked");
});

test("a folio that is truncated while it is written out is an orphan until its ring is free", () => {
  const scene = new Scene("is truncated");
  scene.move("sync");
  assert.equal(scene.result?.notMoved, 1);
  const { mem } = scene.vm;
  assert.equal(mem.events.refusals.counts.orphaned, 9, "its buffers are dirty");
  assert.equal(scene.mapping.buffers.ringCount, 1);
});
