import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioGet } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { AddressSpace, MigrateFolio, MigrateMode } from "../pagecache/address-space.ts";
import { BH, type BufferHead } from "../pagecache/buffers/buffer-head.ts";
import { findGetBlock } from "../pagecache/buffers/find-block.ts";
import { folioBuffers } from "../pagecache/buffers/folio-buffers.ts";
import { attachBuffers, SMALL_BLOCK_BYTES } from "../pagecache/buffers/small-buffers.ts";
import { filemapAddFolio, PageCache } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { bufferMigrateFolio, bufferMigrateFolioNorefs } from "./buffer-callbacks.ts";

const MODES: readonly MigrateMode[] = ["async", "sync-light", "sync", "sync-no-copy"];
const CALLBACKS = [bufferMigrateFolio, bufferMigrateFolioNorefs];

/** A folio of a device with contents 11 and four buffers, and an empty new one, both locked. */
interface Move {
  readonly mem: Memory;
  readonly device: AddressSpace;
  readonly src: Folio;
  readonly dst: Folio;
  readonly ring: readonly BufferHead[];
  /** How often the lookup caches have been emptied. */
  invalidations: number;
}

function newMove(withBuffers: "buffers" | "no buffers" = "buffers"): Move {
  const mem = smallMemory({ pageCount: 64 });
  const device = new PageCache(mem).createMapping("a device", {});
  const [src, dst] = [0, 1].map(() => folioAlloc(mem, movableRequest(0)));
  assert.ok(src !== null && dst !== null, "the memory has room");
  filemapAddFolio(mem, device, src, 0);
  mem.frames.fill(src, 11);
  mem.flags[src] |= PG.uptodate;
  const ring = withBuffers === "buffers" ? attachBuffers(mem, device, src) : [];
  for (const folio of [src, dst]) folioTrylock(mem, folio);
  const move: Move = { mem, device, src, dst, ring, invalidations: 0 };
  const { lrus } = device.buffers;
  const invalidate = lrus.invalidate.bind(lrus);
  lrus.invalidate = (): void => {
    move.invalidations++;
    invalidate();
  };
  return move;
}

function run({ mem, device, src, dst }: Move, callback: MigrateFolio, mode: MigrateMode): string {
  return runToEnd(callback(mem, device, dst, src, mode));
}

/** As a filesystem does that reads a block of its own: afterwards only the cache holds it. */
function lookUp({ mem, device }: Move, block: number): void {
  const bh = runToEnd(findGetBlock(mem, device, block, SMALL_BLOCK_BYTES));
  assert.ok(bh !== null, "the block is cached");
  bh.put();
}

function lockedBuffers({ ring }: Move): number[] {
  return ring.flatMap(({ state }, at) => ((state & BH.locked) !== 0 ? [at] : []));
}

function assertMoved(move: Move, mode: MigrateMode): void {
  const { mem, device, src, dst, ring } = move;
  assert.equal(device.folios.load(0), dst);
  assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [1, 3]);
  assert.deepEqual([mem.flags[src] & PG.private, mem.private[src]], [0, 0]);
  assert.equal(folioBuffers(mem, device.buffers, dst), ring[0]);
  for (const bh of ring) assert.equal(bh.folio, dst);
  assert.equal(mem.frames.holds(dst, 11), mode !== "sync-no-copy");
  assert.ok((mem.flags[dst] & PG.uptodate) !== 0);
  assert.deepEqual(lockedBuffers(move), []);
  assert.equal(device.privateLock.held, false);
}

function assertUntouched(move: Move, references: number): void {
  const { mem, device, src, dst, ring } = move;
  assert.equal(device.folios.load(0), src);
  assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [references, 1]);
  assert.deepEqual([mem.flags[dst], mem.mapping[dst], mem.private[dst]], [PG.locked, 0, 0]);
  assert.equal(folioBuffers(mem, device.buffers, src), ring[0]);
  for (const bh of ring) assert.equal(bh.folio, src);
  assert.equal(mem.frames.holds(dst, 11), false);
  assert.equal(device.privateLock.held, false);
}

for (const callback of CALLBACKS) {
  for (const mode of MODES) {
    test(`${callback.name} moves folio, ring and reference in mode ${mode}, all unlocked`, () => {
      const move = newMove();
      assert.equal(run(move, callback, mode), "moved");
      assertMoved(move, mode);
      assert.equal(move.invalidations, 0, "nobody held a buffer");
    });

    test(`${callback.name} compares the count first in mode ${mode}, before it waits`, () => {
      const move = newMove();
      folioGet(move.mem, move.src);
      assert.ok(move.ring[0].trylock());
      assert.equal(run(move, callback, mode), "EAGAIN");
      assertUntouched(move, 4);
      assert.deepEqual(lockedBuffers(move), [0]);
      assert.equal(move.mem.events.refusals.counts.refcount, 1);
    });

    test(`${callback.name} moves a folio without buffers in mode ${mode} as any`, () => {
      const move = newMove("no buffers");
      const { mem, device, src, dst } = move;
      assert.equal(run(move, callback, mode), "moved");
      assert.equal(device.folios.load(0), dst);
      assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [1, 2]);
      assert.equal(mem.frames.holds(dst, 11), mode !== "sync-no-copy");
    });
  }

  test(`${callback.name} takes what each buffer knows along`, () => {
    const move = newMove();
    const { mem, dst, src, ring } = move;
    ring[0].state |= BH.dirty;
    ring[2].state |= BH.dirty;
    mem.flags[src] |= PG.dirty;
    const before = ring.map(({ state, block, offsetBytes }) => [state, block, offsetBytes]);
    assert.equal(run(move, callback, "sync"), "moved");
    const after = ring.map(({ state, block, offsetBytes }) => [state, block, offsetBytes]);
    assert.deepEqual(after, before);
    assert.ok((mem.flags[dst] & PG.dirty) !== 0);
    assert.equal(mem.flags[src] & PG.dirty, 0);
  });

  for (const busy of [0, 1, 3]) {
    test(`${callback.name} in mode async gives up at locked buffer ${busy} and keeps none`, () => {
      const move = newMove();
      assert.ok(move.ring[busy].trylock());
      assert.equal(run(move, callback, "async"), "EAGAIN");
      assertUntouched(move, 3);
      assert.deepEqual(lockedBuffers(move), [busy]);
      assert.equal(move.mem.events.refusals.counts.buffer_locked, 1);
      move.ring[busy].unlock();
      assert.equal(run(move, callback, "async"), "moved");
    });
  }

  for (const mode of ["sync-light", "sync", "sync-no-copy"] as const) {
    test(`${callback.name} in mode ${mode} would sleep for a locked buffer`, () => {
      const move = newMove();
      assert.ok(move.ring[2].trylock());
      assert.throws(() => run(move, callback, mode), { message: /would sleep on: buffer$/ });
    });
  }

  test(`${callback.name} is for private state that is a ring`, () => {
    const move = newMove("no buffers");
    move.mem.flags[move.src] |= PG.private;
    assert.throws(() => run(move, callback, "sync"), /private state that is no ring of buffers/);
  });
}

for (const mode of MODES) {
  test(`who holds a buffer does not keep a file's data from moving in mode ${mode}`, () => {
    const move = newMove();
    move.ring[1].get();
    lookUp(move, 2);
    assert.equal(run(move, bufferMigrateFolio, mode), "moved");
    assertMoved(move, mode);
    assert.equal(move.invalidations, 0);
    assert.deepEqual(
      move.ring.map(({ count }) => count),
      [0, 1, 1, 0],
    );
  });

  test(`who holds a device's block keeps it in mode ${mode}, after one invalidation`, () => {
    const move = newMove();
    move.ring[1].get();
    lookUp(move, 2);
    assert.equal(run(move, bufferMigrateFolioNorefs, mode), "EAGAIN");
    assertUntouched(move, 3);
    assert.equal(move.invalidations, 1);
    assert.deepEqual(lockedBuffers(move), []);
    assert.deepEqual(
      move.ring.map(({ count }) => count),
      [0, 1, 0, 0],
      "the lookup cache gave its own up",
    );
    const { refusals } = move.mem.events;
    refusals.settle(move.src);
    const refusal = { name: "buffer_held", found: 1, expected: 0 };
    assert.deepEqual(refusals.standing.get(move.src), refusal);
    move.ring[1].put();
    assert.equal(run(move, bufferMigrateFolioNorefs, mode), "moved");
    assert.equal(move.invalidations, 1);
  });

  test(`a device's block that only a lookup cache holds moves in mode ${mode}`, () => {
    const move = newMove();
    lookUp(move, 0);
    lookUp(move, 3);
    assert.equal(run(move, bufferMigrateFolioNorefs, mode), "moved");
    assertMoved(move, mode);
    assert.equal(move.invalidations, 1);
    assert.ok(move.ring.every(({ count }) => count === 0));
  });
}
