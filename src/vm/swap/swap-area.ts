/**
 * A swap area: the slots of one device, and who uses each.
 *
 * A slot's word counts the page table entries that name it; a bit beside the count says that a
 * folio of the swap cache stands for it, or is about to. A slot is free when both are gone.
 * Allocation goes on from where it last was, so that what is swapped out together lies together;
 * a large folio gets as many slots in one aligned run, or none.
 *
 * Every function is atomic: the kernel's `si->lock` and `ci->lock`. Linux: `struct
 * swap_info_struct`, mm/swapfile.c, 6.1; counts there go on in extra pages beyond 62, here they
 * are one word.
 */
import { assert } from "../../base/assert.ts";
import type { SwapDevice } from "./swap-device.ts";
import { SWAP_SLOTS_MAX } from "./swap-entry.ts";

/** A folio of the swap cache has the slot. */
const SWAP_HAS_CACHE = 0x4000_0000;

/** No such run of slots is free. */
export const NO_SLOT = 0;

export interface SwapAreaOptions {
  readonly name: string;
  readonly device: SwapDevice;
  /** The header's included: slot 0 is never used. */
  readonly slots: number;
  /** Higher ones fill first; areas of one priority take turns. */
  readonly priority: number;
  /** Requests end before `submit` returns. Linux: SWP_SYNCHRONOUS_IO (zram, pmem). */
  readonly synchronous?: true;
  /** Neighbours cost nothing more to read: they are read ahead. Linux: not SWP_SOLIDSTATE. */
  readonly rotational?: true;
  /** The device may read a page for as long as its write lasts. Linux: SWP_STABLE_WRITES. */
  readonly stableWrites?: true;
}

export class SwapArea {
  /** Index in `Swap.areas`; what entries carry. */
  readonly id: number;
  readonly name: string;
  readonly device: SwapDevice;
  readonly slotCount: number;
  readonly priority: number;
  readonly synchronous: boolean;
  readonly stableWrites: boolean;
  readonly rotational: boolean;
  /** False while it is being emptied: nothing new is swapped out to it. Linux: SWP_WRITEOK. */
  writable = true;
  /** Linux: `inuse_pages`. */
  slotsInUse = 0;
  /** By slot. Linux: `swap_map`. */
  private readonly uses: Int32Array;
  /** The slot to look at next. */
  private cursor = 1;

  constructor(id: number, { name, device, slots, priority, ...flags }: SwapAreaOptions) {
    assert(slots > 1 && slots <= SWAP_SLOTS_MAX, "a swap area has 2 to 2^26 slots:", slots);
    this.id = id;
    this.name = name;
    this.device = device;
    this.slotCount = slots;
    this.priority = priority;
    this.synchronous = flags.synchronous === true;
    this.stableWrites = flags.stableWrites === true;
    this.rotational = flags.rotational === true;
    this.uses = new Int32Array(slots);
  }

  /** Entries of page tables that name the slot. Linux: `__swap_count()`. */
  count(slot: number): number {
    return this.uses[slot] & ~SWAP_HAS_CACHE;
  }

  hasCache(slot: number): boolean {
    return (this.uses[slot] & SWAP_HAS_CACHE) !== 0;
  }

  isFree(slot: number): boolean {
    return this.uses[slot] === 0;
  }

  /**
   * Takes a run of free slots for a folio that enters the swap cache; NO_SLOT if there is none.
   *
   * Linux: `scan_swap_map_slots()`, `swap_alloc_cluster()`.
   */
  allocate(pages: number): number {
    if (this.slotCount - 1 - this.slotsInUse < pages) return NO_SLOT;
    const first = this.findRun(this.cursor, pages) || this.findRun(0, pages);
    if (first === NO_SLOT) return NO_SLOT;
    this.uses.fill(SWAP_HAS_CACHE, first, first + pages);
    this.slotsInUse += pages;
    this.cursor = first + pages;
    return first;
  }

  /** One more entry names the slot. Linux: `swap_duplicate()`. */
  duplicate(slot: number): void {
    assert(this.uses[slot] !== 0, "an entry for a free slot:", slot);
    this.uses[slot]++;
  }

  /** One entry fewer names the slot. Linux: `__swap_entry_free()`. */
  free(slot: number): void {
    assert(this.count(slot) > 0, "a slot is freed that no entry names:", slot);
    if (--this.uses[slot] === 0) this.release(slot);
  }

  /**
   * Claims the slot for a folio that is to be read in. "EEXIST": another one has it; "ENOENT":
   * nobody needs it any more. Linux: `swapcache_prepare()`.
   */
  prepareCache(slot: number): "claimed" | "EEXIST" | "ENOENT" {
    if (this.hasCache(slot)) return "EEXIST";
    if (this.uses[slot] === 0) return "ENOENT";
    this.uses[slot] |= SWAP_HAS_CACHE;
    return "claimed";
  }

  /** No folio has the slot any more. Linux: `put_swap_folio()`, `swapcache_clear()`. */
  dropCache(slot: number): void {
    assert(this.hasCache(slot), "no folio of the swap cache has slot", slot);
    this.uses[slot] &= ~SWAP_HAS_CACHE;
    if (this.uses[slot] === 0) this.release(slot);
  }

  private release(slot: number): void {
    this.slotsInUse--;
    this.device.freeBlock?.(slot);
  }

  /** The first aligned run of free slots at `from` or behind. */
  private findRun(from: number, pages: number): number {
    let first = Math.ceil(Math.max(from, 1) / pages) * pages;
    while (first + pages <= this.slotCount) {
      let at = first;
      while (at < first + pages && this.uses[at] === 0) at++;
      if (at === first + pages) return first;
      first += pages;
    }
    return NO_SLOT;
  }
}
