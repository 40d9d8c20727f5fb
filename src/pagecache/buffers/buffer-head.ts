/**
 * Buffer heads: what the owner of a folio knows of each disk block in it.
 *
 * Life cycle: made for all blocks of a locked folio, in a ring (`createEmptyBuffers`) -> mapped to
 * a block, read, dirtied, written, over and over -> freed with the whole ring, when none is busy
 * and the folio is locked (`tryToFreeBuffers`). A ring that is busy when truncate comes outlives
 * the folio's place in its file: an orphan.
 *
 * The folio's lock keeps its ring from coming and going, the file's `privateLock` keeps it from
 * whoever has no folio lock; `locked` means I/O on that one block. `count` is held by who uses the
 * bytes of a block without the folio's lock or a reference to it: then ring and bytes must stay.
 * Linux: `struct buffer_head`.
 */
import { assert } from "../../base/assert.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";

/** Bits of `BufferHead.state`. Linux: `enum bh_state_bits`. */
export const BH = {
  /** The bytes match what the disk has, or are newer. */
  uptodate: 0x01,
  /** The bytes are newer than the disk's. */
  dirty: 0x02,
  /** I/O is under way, or about to be. */
  locked: 0x04,
  /** `block` says where on the disk it lies. */
  mapped: 0x08,
} as const;

export class BufferHead {
  /** Bits of BH. */
  state = 0;
  /** Where the bytes are now. A move changes it. Linux: `b_page`. */
  folio: Folio;
  /** Bytes from the start of the folio; a move keeps it. Linux: `bh_offset()`. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Id of the address space of the device; -1 while not mapped. Linux: `b_bdev`. */
  device = -1;
  /** Block of the device, in units of `sizeBytes`; -1 while not mapped. Linux: `b_blocknr`. */
  block = -1;
  /** Users of the bytes, the lookup caches included. Linux: `b_count`. */
  count = 0;
  /** The next of the folio; the last leads back to the first. Linux: `b_this_page`. */
  next: BufferHead = this;
  private readonly unlocked: WaitQueue = new WaitQueue("buffer");

  constructor(folio: Folio, offsetBytes: number, sizeBytes: number) {
    this.folio = folio;
    this.offsetBytes = offsetBytes;
    this.sizeBytes = sizeBytes;
  }

  /** Linux: `trylock_buffer()`. */
  trylock(): boolean {
    if ((this.state & BH.locked) !== 0) return false;
    this.state |= BH.locked;
    return true;
  }

  /** Sleeps until the I/O on it has ended. Linux: `lock_buffer()`. */
  *lock(): Blocking<void> {
    while (!this.trylock()) yield this.unlocked;
  }

  /** Linux: `unlock_buffer()`. */
  unlock(): void {
    assert((this.state & BH.locked) !== 0, "unlock of a buffer that is not locked:", this.block);
    this.state &= ~BH.locked;
    this.unlocked.wakeAll();
  }

  /** By who holds `privateLock`, the folio's lock or a count already. Linux: `get_bh()`. */
  get(): void {
    this.count++;
  }

  /** Linux: `brelse()`. */
  put(): void {
    assert(this.count > 0, "put of a buffer that nobody holds:", this.block);
    this.count--;
  }

  /** Says where on the device it lies. Linux: `map_bh()`. */
  mapTo(device: number, block: number): void {
    this.device = device;
    this.block = block;
    this.state |= BH.mapped;
  }

  /** Whether somebody still needs it. Linux: `buffer_busy()`. */
  get busy(): boolean {
    return this.count !== 0 || (this.state & (BH.dirty | BH.locked)) !== 0;
  }

  /** All buffers of the folio, this one first. */
  ring(): BufferHead[] {
    const ring: BufferHead[] = [this];
    for (let bh = this.next; bh !== this; bh = bh.next) ring.push(bh);
    return ring;
  }
}
