/** Moves that wait: who is waited for, from which try on, and in which mode. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioClearWriteback, folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace, MigrateMode } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Clock } from "../sched/clock.ts";
import { runTasks } from "../sched/run.ts";
import { Task } from "../sched/task.ts";
import { readUser } from "../vm/fault.ts";
import { cachedFolio, mapFilePage, smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { migrateFolio } from "./callbacks.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

/** A file's isolated folio, a call to move it, and virtual time. */
class Scene {
  readonly vm: Vm = smallVm();
  readonly clock: Clock = new Clock();
  readonly mapping: AddressSpace;
  readonly folio: Folio;
  readonly target: AllocTarget;
  /** When the call was over. */
  end = -1;
  result: MigrateResult | null = null;

  constructor() {
    this.mapping = this.vm.cache.createMapping("a file", { migrateFolio });
    this.folio = cachedFolio(this.vm, this.mapping, 0, 42);
    this.target = new AllocTarget(this.vm.mem);
  }

  mover(mode: MigrateMode): Task {
    const list = this.vm.mem.takeList();
    isolateForMigration(this.vm.mem, this.folio, list);
    const scene = this;
    function* move(): Blocking<void> {
      const { vm, target } = scene;
      scene.result = yield* migratePages(vm, list, target, mode, "syscall_or_cpuset");
      scene.end = scene.clock.now;
    }
    return new Task("mover", move());
  }
}

for (const mode of ["sync-light", "sync", "sync-no-copy"] as const) {
  test(`a ${mode} move tries a locked source three times and waits for it at the fourth`, () => {
    const scene = new Scene();
    const { mem } = scene.vm;
    folioTrylock(mem, scene.folio);
    scene.clock.after(500, () => folioUnlock(mem, scene.folio));
    runTasks([scene.mover(mode)], scene.clock);
    assert.equal(scene.result?.notMoved, 0);
    assert.equal(scene.end, 500);
    assert.deepEqual([scene.target.given.length, scene.target.returned], [4, 3]);
    assert.equal(mem.events.refusals.counts.locked, 4);
  });
}

for (const mode of ["sync", "sync-no-copy"] as const) {
  test(`a ${mode} move tries a source under writeback three times and waits at the fourth`, () => {
    const scene = new Scene();
    const { mem } = scene.vm;
    mem.flags[scene.folio] |= PG.writeback;
    scene.clock.after(700, () => folioClearWriteback(mem, scene.folio));
    runTasks([scene.mover(mode)], scene.clock);
    assert.equal(scene.result?.notMoved, 0);
    assert.equal(scene.end, 700);
    assert.deepEqual([scene.target.given.length, scene.target.returned], [4, 3]);
  });
}

test("an asynchronous move never sleeps, whatever it meets", () => {
  for (const flag of [PG.locked, PG.writeback]) {
    const scene = new Scene();
    scene.vm.mem.flags[scene.folio] |= flag;
    scene.clock.after(10, () => assert.fail("time moved on: somebody slept"));
    const mover = scene.mover("async");
    while (mover.state === "runnable") mover.step();
    assert.equal(mover.state, "finished");
    assert.equal(scene.result?.notMoved, 1);
  }
});

test("a lock that ends while others are moved is not waited for", () => {
  const scene = new Scene();
  const { mem } = scene.vm;
  folioTrylock(mem, scene.folio);
  function* holder(): Blocking<void> {
    for (let at = 0; at < 4; at++) yield "holding";
    folioUnlock(mem, scene.folio);
  }
  runTasks([scene.mover("async"), new Task("holder", holder())], scene.clock);
  assert.equal(scene.result?.notMoved, 0);
  assert.ok(scene.target.returned > 0);
});

test("a user of the page waits for the move, and finds the page where it is then", () => {
  const scene = new Scene();
  const { vm, clock, folio } = scene;
  const page = mapFilePage(vm, scene.mapping, folio);
  vm.mem.flags[folio] |= PG.writeback;
  clock.after(300, () => folioClearWriteback(vm.mem, folio));
  const read: unknown[] = [];
  function* reader(): Blocking<void> {
    while ((vm.tables.bits(page.entry) & 1) !== 0) yield "waiting for the unmapping";
    read.push(yield* readUser(vm, page.mm, page.vpn, 0), clock.now);
  }
  const owner = new Task("reader", reader());
  const mover = scene.mover("sync");
  while (mover.state !== "asleep") mover.step();
  while (clock.advance());
  while (mover.point !== "migrate-mapping-count") mover.step();
  runTasks([owner, mover], clock);
  assert.deepEqual(read, [42, 300]);
  assert.equal(vm.tables.pfn(page.entry), scene.target.given.at(-1));
});
