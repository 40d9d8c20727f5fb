/**
 * Swap of one machine: its areas, and the cache of folios that have a slot.
 *
 * The cache is an address space like a file's, by entry instead of offset. An anonymous folio is in
 * it from before it is unmapped until nobody needs its slot; `PG.swapcache` with `PG.swapbacked`
 * says so, `private` holds the entry (of its first page: those of the others follow it), and the
 * cache holds one reference for each page. So `folioMapping` of such a folio is not null.
 *
 * A machine has none of this before its first `swapOn`. The migration of its folios is supplied
 * from above, as an owner's is. Linux: mm/swapfile.c, mm/swap_state.c, 6.1 (which has one address
 * space for each 64 MiB of an area).
 */
import { assert } from "../../base/assert.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { AddressSpace, AS, type MigrateFolio } from "../../pagecache/address-space.ts";
import type { PageCache } from "../../pagecache/page-cache.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";
import { NO_SLOT, SwapArea, type SwapAreaOptions } from "./swap-area.ts";
import { SWAP_AREAS_MAX, type SwapEntry, swapAreaOf, swapEntry, swapSlotOf } from "./swap-entry.ts";
import { swapWritepage } from "./swap-io.ts";
import { SwapReadahead } from "./swap-readahead.ts";

/** Carried by no folio: the flag names the cache, not the mapping word. */
const SWAP_MAPPING_ID = -1;

export class Swap {
  readonly mem: Memory;
  /** The swap cache. Linux: `swap_address_space()`. */
  readonly mapping: AddressSpace;
  /** By id; null after swapoff. */
  readonly areas: (SwapArea | null)[] = [];
  /** Who found a slot claimed by a reader that keeps out of the cache. */
  readonly claimed: WaitQueue = new WaitQueue("a page that another task swaps in");
  readonly readahead: SwapReadahead = new SwapReadahead();
  /** By entry: what the evicted page left for its return. Linux: shadow entries. */
  readonly shadows: Map<SwapEntry, number> = new Map();
  /** Writable areas, in the order in which they fill. Linux: `swap_avail_heads`. */
  private readonly available: SwapArea[] = [];
  private readonly cache: PageCache;

  constructor(cache: PageCache, migrateFolio: MigrateFolio) {
    this.mem = cache.mem;
    this.cache = cache;
    const ops = {
      migrateFolio,
      writepage: (_mem: Memory, _mapping: AddressSpace, folio: Folio) => swapWritepage(this, folio),
    };
    this.mapping = new AddressSpace(SWAP_MAPPING_ID, "the swap cache", ops, cache, {
      flags: AS.noWritebackTags,
      canWriteback: false,
    });
    cache.swapMapping = this.mapping;
  }

  /** Called with a folio that comes back and its shadow. Linux: `workingset_refault()`. */
  get workingsetRefault(): PageCache["workingsetRefault"] {
    return this.cache.workingsetRefault;
  }

  /** Linux: `swapon(2)`. */
  swapOn(options: SwapAreaOptions): SwapArea {
    const id = this.areas.length;
    assert(id < SWAP_AREAS_MAX, "too many swap areas");
    const area = new SwapArea(id, options);
    this.areas.push(area);
    this.makeAvailable(area);
    return area;
  }

  /** Linux: `swp_swap_info()`. */
  area(entry: SwapEntry): SwapArea {
    const area = this.areas[swapAreaOf(entry)];
    assert(area !== undefined && area !== null, "an entry of no swap area:", entry);
    return area;
  }

  /** Slots for a folio, in one run; null where no area has it. Linux: `folio_alloc_swap()`. */
  allocate(pages: number): SwapEntry | null {
    for (const area of this.available) {
      const slot = area.allocate(pages);
      if (slot === NO_SLOT) continue;
      this.takeTurns(area);
      return swapEntry(area.id, slot);
    }
    return null;
  }

  /** One more page table entry names it. Linux: `swap_duplicate()`. */
  duplicate(entry: SwapEntry): void {
    this.area(entry).duplicate(swapSlotOf(entry));
  }

  /** Page table entries that name it. Linux: `__swap_count()`. */
  count(entry: SwapEntry): number {
    return this.area(entry).count(swapSlotOf(entry));
  }

  /** Claims the slot of an entry, which may be of an area that is gone, for a read. */
  prepareCache(entry: SwapEntry): "claimed" | "EEXIST" | "ENOENT" {
    const area = this.areas[swapAreaOf(entry)] ?? null;
    return area === null ? "ENOENT" : area.prepareCache(swapSlotOf(entry));
  }

  /** Whether a reader has the slot of which the cache does not know: it will wake `claimed`. */
  isClaimed(entry: SwapEntry): boolean {
    const isCached = this.mapping.folios.load(entry) !== null;
    return !isCached && this.area(entry).hasCache(swapSlotOf(entry));
  }

  /** One page table entry fewer names it. Linux: `swap_free()`. */
  free(entry: SwapEntry): void {
    const area = this.area(entry);
    area.free(swapSlotOf(entry));
    this.forgetIfFree(area, entry);
  }

  /** The folio that had it is out of the cache. Linux: `put_swap_folio()`. */
  dropCache(entry: SwapEntry): void {
    const area = this.area(entry);
    area.dropCache(swapSlotOf(entry));
    this.forgetIfFree(area, entry);
  }

  /** Slots that are neither free nor in a closed area's. Linux: `get_nr_swap_pages()`. */
  get freeSlots(): number {
    return this.available.reduce((sum, { slotCount, slotsInUse }) => {
      return sum + slotCount - 1 - slotsInUse;
    }, 0);
  }

  /** More than half is in use: slots that hold a copy are missed. Linux: `vm_swap_full()`. */
  get isNearlyFull(): boolean {
    const total = this.available.reduce((sum, { slotCount }) => sum + slotCount - 1, 0);
    return this.freeSlots * 2 < total;
  }

  /** Nothing new goes to the area. Linux: `del_from_avail_list()`. */
  makeUnavailable(area: SwapArea): void {
    const at = this.available.indexOf(area);
    assert(at !== -1, "a swap area is closed already:", area.name);
    this.available.splice(at, 1);
    area.writable = false;
  }

  /** Behind the areas of its own priority. */
  makeAvailable(area: SwapArea): void {
    const at = this.available.findIndex(({ priority }) => priority < area.priority);
    this.available.splice(at === -1 ? this.available.length : at, 0, area);
    area.writable = true;
  }

  private takeTurns(area: SwapArea): void {
    if (this.available.length === 1) return;
    this.makeUnavailable(area);
    this.makeAvailable(area);
  }

  private forgetIfFree(area: SwapArea, entry: SwapEntry): void {
    if (this.shadows.size > 0 && area.isFree(swapSlotOf(entry))) this.shadows.delete(entry);
  }
}
