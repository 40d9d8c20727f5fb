/**
 * A folio's ring of buffer heads: made, found, freed, discarded.
 *
 * Making, freeing and discarding take the folio's lock; freeing takes the file's `privateLock` as
 * well, so that nobody who found the ring by way of a device's block is still on it. The ring holds
 * one reference to its folio, and `PG.private` says that it is there. Linux: fs/buffer.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { PAGE_WORDS } from "../../memory/frames.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import { folioCancelDirty } from "../dirty-account.ts";
import { BH, BufferHead } from "./buffer-head.ts";
import type { BufferHeads } from "./buffer-heads.ts";

const PAGE_BYTES = PAGE_WORDS * 4;

/** Linux: `folio_attach_private()`. */
export function folioAttachPrivate(mem: Memory, folio: Folio, word: number): void {
  folioGet(mem, folio);
  mem.private[folio] = word;
  setFlag(mem, folio, PG.private);
}

/** Gives the word and the reference back. Linux: `folio_detach_private()`. */
export function folioDetachPrivate(mem: Memory, folio: Folio): number {
  assert(testFlag(mem, folio, PG.private), "detach of private state that is not there:", folio);
  const word = mem.private[folio];
  clearFlag(mem, folio, PG.private);
  mem.private[folio] = 0;
  folioPut(mem, folio);
  return word;
}

/** The first buffer of the folio, or null. Linux: `folio_buffers()`. */
export function folioBuffers(mem: Memory, buffers: BufferHeads, folio: Folio): BufferHead | null {
  return testFlag(mem, folio, PG.private) ? buffers.get(mem.private[folio]) : null;
}

/** Gives a locked folio of any order a ring of blocks. Linux: `create_empty_buffers()`. */
export function* createEmptyBuffers(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  sizeBytes: number,
): Steps<BufferHead> {
  assert(testFlag(mem, folio, PG.locked), "buffers for a folio that is not locked:", folio);
  assert(!testFlag(mem, folio, PG.private), "a folio has private state already:", folio);
  const head = new BufferHead(folio, 0, sizeBytes);
  let last = head;
  const folioBytes = folioNrPages(mem, folio) * PAGE_BYTES;
  for (let at = sizeBytes; at < folioBytes; at += sizeBytes) {
    last.next = new BufferHead(folio, at, sizeBytes);
    last = last.next;
  }
  last.next = head;
  yield* mapping.privateLock.lock();
  let state = 0;
  if (testFlag(mem, folio, PG.dirty)) state |= BH.dirty;
  if (testFlag(mem, folio, PG.uptodate)) state |= BH.uptodate;
  for (const bh of head.ring()) bh.state = state;
  folioAttachPrivate(mem, folio, mapping.buffers.add(head));
  mapping.privateLock.unlock();
  return head;
}

/**
 * Frees the ring of a locked folio unless one of its buffers is busy; the folio is then clean.
 *
 * Linux: `try_to_free_buffers()`.
 */
export function* tryToFreeBuffers(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Steps<boolean> {
  assert(testFlag(mem, folio, PG.locked), "buffers of a folio that is not locked:", folio);
  if (testFlag(mem, folio, PG.writeback)) return false;
  yield* mapping.privateLock.lock();
  const free = dropBuffers(mem, mapping.buffers, folio);
  yield "buffers-dropped";
  // In the lock, or a folio that is dirtied meanwhile would be clean.
  if (free) folioCancelDirty(mem, mapping, folio);
  mapping.privateLock.unlock();
  return free;
}

/** The same for a folio that is in no file any more: nobody can find its ring. */
export function tryToFreeOrphanBuffers(mem: Memory, buffers: BufferHeads, folio: Folio): boolean {
  assert(mem.mapping[folio] === 0, "a folio with a file is no orphan:", folio);
  return !testFlag(mem, folio, PG.writeback) && dropBuffers(mem, buffers, folio);
}

/** Linux: `drop_buffers()`. */
function dropBuffers(mem: Memory, buffers: BufferHeads, folio: Folio): boolean {
  const head = folioBuffers(mem, buffers, folio);
  if (head === null || head.ring().some(({ busy }) => busy)) return false;
  buffers.remove(folioDetachPrivate(mem, folio));
  return true;
}
