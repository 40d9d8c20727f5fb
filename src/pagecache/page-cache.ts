/**
 * All owners of a machine: its address spaces, with a folio's way into one and out, and the drivers
 * of movable pages.
 *
 * Life of a cached folio: allocated (one reference) -> added (one more for each page, mapping and
 * index set) -> removed (mapping cleared, the cache's references put). The mapping word carries the
 * address space's id. Linux: mm/filemap.c, `folio_mapping()`.
 */
import { assert } from "../base/assert.ts";
import { folioMapped, folioNrPages } from "../memory/folio.ts";
import { folioPut, folioPutRefs, folioTryGet } from "../memory/folio-ref.ts";
import { MAPPING_FLAGS, mappingId, mappingWord } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Steps } from "../sched/blocking.ts";
import {
  AddressSpace,
  type AddressSpaceOperations,
  type AddressSpaceTraits,
  AS,
  type SharedByFiles,
} from "./address-space.ts";
import { BufferHeads } from "./buffers/buffer-heads.ts";
import { folioBuffers, folioDetachPrivate, tryToFreeBuffers } from "./buffers/folio-buffers.ts";
import { folioAccountCleaned } from "./dirty-account.ts";
import type { Mappers } from "./mappers.ts";
import type { MovableOperations } from "./movable-operations.ts";

/** Both bits: the one alone has other meanings. */
const SWAPCACHE = PG.swapcache | PG.swapbacked;

/** Puts checks around what owners and drivers do, as they register. */
export interface OwnerChecks {
  ofOwner(name: string, ops: AddressSpaceOperations): AddressSpaceOperations;
  ofDriver(ops: MovableOperations): MovableOperations;
}

export class PageCache implements SharedByFiles {
  readonly mem: Memory;
  /** By id. */
  readonly mappings: AddressSpace[] = [];
  readonly buffers: BufferHeads;
  /** Set by the room that maps pages. */
  mappers: Mappers | null = null;
  workingsetRefault: SharedByFiles["workingsetRefault"] = null;
  /** Of pages off the LRU, by the id in their mapping word. */
  readonly movableOps: MovableOperations[] = [];
  /** The same as their drivers know them. */
  private readonly registered: MovableOperations[] = [];
  /** Set before the first owner registers; null but in a laboratory. */
  ownerChecks: OwnerChecks | null = null;
  /** Of the folios that have a slot in swap; null on a machine without. */
  swapMapping: AddressSpace | null = null;

  constructor(mem: Memory) {
    this.mem = mem;
    this.buffers = new BufferHeads(mem);
  }

  createMapping(
    name: string,
    ops: AddressSpaceOperations,
    traits?: AddressSpaceTraits,
  ): AddressSpace {
    const checked = this.ownerChecks?.ofOwner(name, ops) ?? ops;
    const mapping = new AddressSpace(this.mappings.length, name, checked, this, traits);
    this.mappings.push(mapping);
    if ((mapping.flags & AS.unevictable) !== 0) {
      this.mem.unevictableMappings.add(mappingWord(mapping.id, 0));
    }
    return mapping;
  }

  /** The id of a driver's operations, which are entered when they are first asked for. */
  movableOpsId(ops: MovableOperations): number {
    const id = this.registered.indexOf(ops);
    if (id !== -1) return id;
    this.movableOps.push(this.ownerChecks?.ofDriver(ops) ?? ops);
    return this.registered.push(ops) - 1;
  }

  /**
   * The file that a folio belongs to, or the swap cache; null for any other kind.
   *
   * Linux: `folio_mapping()`.
   */
  folioMapping(folio: Folio): AddressSpace | null {
    const { swapMapping } = this;
    if (swapMapping !== null && (this.mem.flags[folio] & SWAPCACHE) === SWAPCACHE) {
      return swapMapping;
    }
    const word = this.mem.mapping[folio];
    if (word === 0 || (word & MAPPING_FLAGS) !== 0) return null;
    if ((this.mem.flags[folio] & PG.slab) !== 0) return null;
    return this.mappings[mappingId(word)];
  }
}

/**
 * The folio at `offset` with a reference, or null; it may be locked by anybody.
 *
 * The count is taken without a lock, so the slot is looked at again: the folio may have left it,
 * and another may be there. Linux: `filemap_get_folio()`.
 */
export function* filemapGetFolio(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
): Steps<Folio | null> {
  for (;;) {
    const node = mapping.folios.walk(offset);
    if (node === null) return null;
    const slot = node.slotOf(offset);
    const folio = node.words[slot] as Folio;
    yield "get-folio-loaded";
    if (!folioTryGet(mem, folio)) continue;
    if (node.words[slot] === (folio as number)) return folio;
    folioPut(mem, folio);
  }
}

/** Enters a folio that nobody else can see yet. Linux: `__filemap_add_folio()`. */
export function filemapAddFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  offset: number,
): void {
  assert(mem.mapping[folio] === 0, "a folio has an owner already:", folio);
  const pages = folioNrPages(mem, folio);
  mapping.folios.insert(offset, folio, pages);
  mem.refcount[folio] += pages;
  mem.mapping[folio] = mappingWord(mapping.id, 0);
  mem.index[folio] = offset;
  countFilePages(mem, folio, pages);
  if (mapping.shadows !== null) noteReturn(mapping, folio, offset, pages);
}

/** An evicted page is back: what it left says how soon. */
function noteReturn(mapping: AddressSpace, folio: Folio, offset: number, pages: number): void {
  const { shadows, workingsetRefault } = mapping;
  for (let at = offset; at < offset + pages; at++) {
    const shadow = shadows?.get(at);
    if (shadow === undefined) continue;
    shadows?.delete(at);
    workingsetRefault?.(folio, shadow);
  }
}

/** Takes a locked folio out of its file. Linux: `filemap_remove_folio()`. */
export function filemapRemoveFolio(mem: Memory, mapping: AddressSpace, folio: Folio): void {
  const pages = folioNrPages(mem, folio);
  leaveFile(mem, mapping, folio, pages);
  folioPutRefs(mem, folio, pages);
}

/**
 * The same for who has frozen the folio's count, the cache's references among it; a page that is
 * evicted leaves `shadow` behind for its return. Linux: `__filemap_remove_folio()`.
 */
export function removeFrozenFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  shadow: number | null,
): void {
  const offset = mem.index[folio];
  leaveFile(mem, mapping, folio, folioNrPages(mem, folio));
  if (shadow === null) return;
  mapping.shadows ??= new Map();
  mapping.shadows.set(offset, shadow);
}

/** What was evicted from `first` to `last` will not come back: the file ends before it. */
export function forgetEvictions({ shadows }: AddressSpace, first: number, last: number): void {
  for (const offset of shadows?.keys() ?? []) {
    if (first <= offset && offset <= last) shadows?.delete(offset);
  }
}

function leaveFile(mem: Memory, mapping: AddressSpace, folio: Folio, pages: number): void {
  assert((mem.flags[folio] & PG.locked) !== 0, "removal of a folio that is not locked:", folio);
  assert(mem.mapping[folio] === mappingWord(mapping.id, 0), "a folio of another file:", folio);
  assert(!folioMapped(mem, folio), "a mapped folio leaves its file:", folio);
  if ((mem.flags[folio] & PG.dirty) !== 0) folioAccountCleaned(mem, mapping, folio);
  mapping.folios.remove(mem.index[folio], pages);
  countFilePages(mem, folio, -pages);
  mem.mapping[folio] = 0;
  mapping.ops.freeFolio?.(mem, folio);
}

/**
 * Has the owner give up a locked folio's private state; true if there is none left.
 *
 * An owner without `releaseFolio` is taken to have buffer heads. Where they are not known, as in a
 * snapshot, they can be freed unless the folio is dirty. Linux: `filemap_release_folio()`.
 */
export function* filemapReleaseFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Steps<boolean> {
  const flags = mem.flags[folio];
  const needsRelease = (flags & PG.private) !== 0 || (mapping.flags & AS.releaseAlways) !== 0;
  if (!needsRelease) return true;
  if ((flags & PG.writeback) !== 0) return false;
  const { ops } = mapping;
  if (ops.releaseFolio !== undefined) return yield* ops.releaseFolio(mem, mapping, folio);
  if (folioBuffers(mem, mapping.buffers, folio) !== null) {
    return yield* tryToFreeBuffers(mem, mapping, folio);
  }
  if ((flags & PG.private) === 0) return true;
  if ((flags & PG.dirty) !== 0) return false;
  folioDetachPrivate(mem, folio);
  return true;
}

/** NR_FILE_PAGES and NR_SHMEM of the folio's node. */
function countFilePages(mem: Memory, folio: Folio, pages: number): void {
  const node = mem.nodeOf(folio);
  node.filePages += pages;
  if ((mem.flags[folio] & PG.swapbacked) !== 0) node.shmemPages += pages;
}
