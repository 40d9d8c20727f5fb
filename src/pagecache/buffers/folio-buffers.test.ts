import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import type { Steps } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import type { AddressSpace, AddressSpaceOperations } from "../address-space.ts";
import {
  filemapAddFolio,
  filemapReleaseFolio,
  filemapRemoveFolio,
  PageCache,
} from "../page-cache.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { createEmptyBuffers, folioBuffers, tryToFreeOrphanBuffers } from "./folio-buffers.ts";

interface Cached {
  readonly mem: Memory;
  readonly cache: PageCache;
  readonly mapping: AddressSpace;
  readonly folio: Folio;
}

/** A locked folio of a file. */
function cached(ops: AddressSpaceOperations = {}): Cached {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new PageCache(mem);
  const mapping = cache.createMapping("a file", ops);
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null, "the memory has room");
  filemapAddFolio(mem, mapping, folio, 0);
  folioTrylock(mem, folio);
  return { mem, cache, mapping, folio };
}

function attach({ mem, mapping, folio }: Cached, sizeBytes = 1024): BufferHead[] {
  return runToEnd(createEmptyBuffers(mem, mapping, folio, sizeBytes)).ring();
}

function release({ mem, mapping, folio }: Cached): boolean {
  return runToEnd(filemapReleaseFolio(mem, mapping, folio));
}

test("a ring covers its folio, takes its state over and holds one reference", () => {
  for (const sizeBytes of [512, 1024, 4096]) {
    for (const [flags, state] of [
      [0, 0],
      [PG.uptodate, BH.uptodate],
      [PG.uptodate | PG.dirty, BH.uptodate | BH.dirty],
    ]) {
      const each = cached();
      const { mem, mapping, folio } = each;
      mem.flags[folio] |= flags;
      const ring = attach(each, sizeBytes);
      assert.equal(ring.length, 4096 / sizeBytes);
      ring.forEach((bh, at) => {
        const found = [bh.folio, bh.offsetBytes, bh.sizeBytes, bh.state, bh.count, bh.block];
        assert.deepEqual(found, [folio, at * sizeBytes, sizeBytes, state, 0, -1]);
      });
      assert.equal(ring[ring.length - 1].next, ring[0], "it is a ring");
      assert.equal(mem.refcount[folio], 3, "the allocation, the cache, the ring");
      assert.ok((mem.flags[folio] & PG.private) !== 0);
      assert.equal(folioBuffers(mem, mapping.buffers, folio), ring[0]);
      assert.equal(mapping.privateLock.held, false);
    }
  }
});

test("a folio has one ring, and gets and loses it locked", () => {
  const each = cached();
  attach(each);
  assert.throws(() => attach(each), /a folio has private state already/);
  folioUnlock(each.mem, each.folio);
  assert.throws(() => release(each), /buffers of a folio that is not locked/);
  const other = cached();
  folioUnlock(other.mem, other.folio);
  assert.throws(() => attach(other), /buffers for a folio that is not locked/);
});

test("a ring without a busy buffer is freed with its reference, and its folio is clean", () => {
  const each = cached();
  const { mem, mapping, folio } = each;
  attach(each);
  mem.flags[folio] |= PG.dirty;
  assert.equal(release(each), true);
  assert.equal(mem.flags[folio] & (PG.private | PG.dirty), 0);
  assert.deepEqual([mem.refcount[folio], mem.private[folio]], [2, 0]);
  assert.equal(folioBuffers(mem, mapping.buffers, folio), null);
  assert.equal(mapping.buffers.ringCount, 0);
  assert.equal(mapping.privateLock.held, false);
});

test("one buffer that is held, dirty or locked keeps the whole ring", () => {
  const busy: readonly ((bh: BufferHead) => void)[] = [
    (bh) => bh.get(),
    (bh) => {
      bh.state |= BH.dirty;
    },
    (bh) => assert.ok(bh.trylock()),
  ];
  for (const make of busy) {
    const each = cached();
    const ring = attach(each);
    make(ring[3]);
    assert.equal(release(each), false);
    assert.equal(each.mem.refcount[each.folio], 3);
    assert.equal(folioBuffers(each.mem, each.mapping.buffers, each.folio), ring[0]);
    assert.equal(each.mapping.privateLock.held, false);
  }
});

test("under writeback nothing is released", () => {
  const each = cached();
  attach(each);
  each.mem.flags[each.folio] |= PG.writeback;
  assert.equal(release(each), false);
  assert.equal(each.mem.refcount[each.folio], 3);
});

test("an owner's releaseFolio decides, whatever is attached", () => {
  function* keep(): Steps<boolean> {
    yield "keeping";
    return false;
  }
  const each = cached({ releaseFolio: keep });
  attach(each);
  assert.equal(release(each), false);
});

test("private state of which nothing is known is given up if the folio is clean", () => {
  const each = cached();
  const { mem, folio } = each;
  mem.flags[folio] |= PG.private | PG.dirty;
  mem.refcount[folio]++;
  assert.equal(release(each), false);
  mem.flags[folio] &= ~PG.dirty;
  assert.equal(release(each), true);
  assert.equal(mem.refcount[folio], 2);
});

test("a ring that outlives its folio's place in the file is freed once nobody needs it", () => {
  const each = cached();
  const { mem, cache, mapping, folio } = each;
  const ring = attach(each);
  assert.throws(() => tryToFreeOrphanBuffers(mem, cache.buffers, folio), /is no orphan/);
  ring[1].get();
  filemapRemoveFolio(mem, mapping, folio);
  assert.equal(tryToFreeOrphanBuffers(mem, cache.buffers, folio), false);
  assert.equal(mem.refcount[folio], 2);
  ring[1].put();
  assert.equal(tryToFreeOrphanBuffers(mem, cache.buffers, folio), true);
  assert.deepEqual([mem.refcount[folio], cache.buffers.ringCount], [1, 0]);
});

test("who puts or unlocks a buffer must hold it", () => {
  const [bh] = attach(cached());
  assert.throws(() => bh.put(), /put of a buffer that nobody holds/);
  assert.throws(() => bh.unlock(), /unlock of a buffer that is not locked/);
});
