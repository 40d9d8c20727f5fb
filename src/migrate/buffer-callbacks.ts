/**
 * `migrateFolio` for owners with buffer heads, whose ring points back at the folio.
 *
 * Order of steps: compare the count, so that a hopeless folio waits for no I/O; lock every buffer;
 * swap the mapping; move the ring; point each buffer at `dst`; bytes and flags; unlock. While all
 * buffers are locked nobody starts I/O on the old bytes.
 *
 * That is enough for a file's data, which nobody touches without the folio's lock or a reference.
 * Blocks of a device are used by who has but a count on the buffer: there no buffer may have one,
 * and `privateLock` keeps lookups out from that check until every buffer points at `dst` and the
 * bytes are there. Linux: `__buffer_migrate_folio()`, mm/migrate.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace, MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import { BH, type BufferHead } from "../pagecache/buffers/buffer-head.ts";
import { folioBuffers } from "../pagecache/buffers/folio-buffers.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { copyUnlessDone, migrateFolio, movePrivate } from "./callbacks.ts";
import { folioExpectedRefs, folioMigrateMapping } from "./folio-mapping.ts";

/** For a file's data. Counts on the buffers do not matter. Linux: `buffer_migrate_folio()`. */
export function* bufferMigrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  return yield* migrateWithBuffers(mem, mapping, dst, src, mode, moveLocked);
}

/** For a device's blocks: none may be held. Linux: `buffer_migrate_folio_norefs()`. */
export function* bufferMigrateFolioNorefs(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  return yield* migrateWithBuffers(mem, mapping, dst, src, mode, moveUnheld);
}

/** A folio's ring, every buffer of it locked, and where it goes. */
interface LockedMove {
  readonly mem: Memory;
  readonly mapping: AddressSpace;
  readonly dst: Folio;
  readonly src: Folio;
  readonly mode: MigrateMode;
  readonly ring: readonly BufferHead[];
}

function* migrateWithBuffers(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
  moveBuffers: (move: LockedMove) => Steps<"moved" | "EAGAIN">,
): Blocking<MigrateOutcome> {
  assert(mapping !== null, "buffers belong to a file, and this folio has none:", src);
  const head = folioBuffers(mem, mapping.buffers, src);
  if (head === null) {
    assert(!testFlag(mem, src, PG.private), "private state that is no ring of buffers:", src);
    return yield* migrateFolio(mem, mapping, dst, src, mode);
  }
  const expected = folioExpectedRefs(mem, mapping, src);
  if (mem.refcount[src] !== expected) {
    mem.events.refusals.refuse("refcount", mem.refcount[src], expected);
    return "EAGAIN";
  }
  const ring = head.ring();
  if (mode === "async") {
    if (!(yield* trylockBuffers(mem, ring))) return "EAGAIN";
  } else if (mode === "sync-light" && !mem.profile.syncLightWaitsForReads) {
    if (!(yield* lockUnlessRead(mem, ring))) return "EAGAIN";
  } else {
    for (const bh of ring) yield* bh.lock();
  }
  const outcome = yield* moveBuffers({ mem, mapping, dst, src, mode, ring });
  for (const bh of ring) bh.unlock();
  return outcome;
}

/** All; or none, where the wait would be for a read. */
function* lockUnlessRead(mem: Memory, ring: readonly BufferHead[]): Blocking<boolean> {
  for (let at = 0; at < ring.length; at++) {
    const bh = ring[at];
    if ((bh.state & (BH.locked | BH.uptodate)) === BH.locked) {
      mem.events.refusals.refuse("buffer_locked", 1, 0);
      for (const taken of ring.slice(0, at)) taken.unlock();
      return false;
    }
    yield* bh.lock();
  }
  return true;
}

/** All or none. */
function* trylockBuffers(mem: Memory, ring: readonly BufferHead[]): Steps<boolean> {
  for (let at = 0; at < ring.length; at++) {
    yield "trylock-buffer";
    if (ring[at].trylock()) continue;
    mem.events.refusals.refuse("buffer_locked", 1, 0);
    for (const bh of ring.slice(0, at)) bh.unlock();
    return false;
  }
  return true;
}

function* moveUnheld(move: LockedMove): Steps<"moved" | "EAGAIN"> {
  const { mem, ring } = move;
  const { privateLock, buffers } = move.mapping;
  yield* privateLock.lock();
  if (countHeld(ring) > 0) {
    // Perhaps only the lookup caches hold them. Emptying those takes every processor.
    privateLock.unlock();
    yield "invalidate-bh-lrus";
    buffers.lrus.invalidate();
    yield* privateLock.lock();
  }
  const held = countHeld(ring);
  let outcome: "moved" | "EAGAIN" = "EAGAIN";
  yield "buffers-scanned";
  if (held === 0) outcome = yield* moveLocked(move);
  else mem.events.refusals.refuse("buffer_held", held, 0);
  privateLock.unlock();
  return outcome;
}

function countHeld(ring: readonly BufferHead[]): number {
  return ring.reduce((held, { count }) => held + count, 0);
}

function* moveLocked(move: LockedMove): Steps<"moved" | "EAGAIN"> {
  const { mem, mapping, dst, src, mode, ring } = move;
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
  if (outcome !== "moved") return outcome;
  movePrivate(mem, dst, src);
  for (const bh of ring) bh.folio = dst;
  yield "buffers-point-at-dst";
  copyUnlessDone(mem, dst, src, mode);
  return "moved";
}
