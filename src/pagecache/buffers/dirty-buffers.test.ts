import assert from "node:assert/strict";
import { test } from "node:test";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import { runToEnd } from "../../sched/run.ts";
import type { AddressSpace } from "../address-space.ts";
import { filemapAddFolio, PageCache } from "../page-cache.ts";
import { BH } from "./buffer-head.ts";
import { blockDirtyFolio, markBufferDirty } from "./dirty-buffers.ts";
import { attachBuffers } from "./small-buffers.ts";

function cached(): { mem: Memory; mapping: AddressSpace; folio: Folio } {
  const mem = smallMemory({ pageCount: 64 });
  const mapping = new PageCache(mem).createMapping("a file", {});
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null, "the memory has room");
  filemapAddFolio(mem, mapping, folio, 0);
  return { mem, mapping, folio };
}

test("a dirty buffer makes its folio dirty, and no other buffer", () => {
  const { mem, mapping, folio } = cached();
  const ring = attachBuffers(mem, mapping, folio);
  assert.throws(() => runToEnd(markBufferDirty(mem, mapping, ring[2])), /that nobody holds/);
  ring[2].get();
  runToEnd(markBufferDirty(mem, mapping, ring[2]));
  assert.deepEqual(
    ring.map(({ state }) => state & BH.dirty),
    [0, 0, BH.dirty, 0],
  );
  assert.equal(mem.flags[folio] & PG.dirty, PG.dirty);
});

test("a buffer that is dirty already says nothing of its folio, which is being written perhaps", () => {
  const { mem, mapping, folio } = cached();
  const [bh] = attachBuffers(mem, mapping, folio);
  bh.get();
  bh.state |= BH.dirty;
  runToEnd(markBufferDirty(mem, mapping, bh));
  assert.equal(mem.flags[folio] & PG.dirty, 0);
});

test("a dirty folio has every buffer dirty, if it has any", () => {
  const without = cached();
  runToEnd(blockDirtyFolio(without.mem, without.mapping, without.folio));
  assert.equal(without.mem.flags[without.folio] & PG.dirty, PG.dirty);

  const { mem, mapping, folio } = cached();
  const ring = attachBuffers(mem, mapping, folio);
  runToEnd(blockDirtyFolio(mem, mapping, folio));
  assert.ok(ring.every(({ state }) => (state & BH.dirty) !== 0));
  assert.equal(mem.flags[folio] & PG.dirty, PG.dirty);
  assert.equal(mapping.privateLock.held, false);
});
