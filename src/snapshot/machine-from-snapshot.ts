/**
 * Builds the machine that a snapshot shows: the same free blocks, the same pages in use, each with
 * an owner from whom it can be taken.
 *
 * Order of steps: the memory's shape; the flags of every page; free blocks onto their lists,
 * compounds tied together; owners (`SnapshotOwners`) for what processes and files have; slots for
 * what is in the swap cache; a hold from outside for what the kernel has; the LRU; pins. Locks and
 * writeback of the instant are let go: nobody is there to end them.
 *
 * What a snapshot cannot say is made up in one way only: a reference count is the sum of the
 * holders that are known.
 */
import { Machine } from "../machine/machine.ts";
import { buddyOrder, pageBuddy, placeFreeBlock } from "../memory/buddy.ts";
import { byteFrames } from "../memory/byte-frames.ts";
import { GUP_PIN_COUNTING_BIAS, MIGRATE } from "../memory/constants.ts";
import { folioNrPages, pageMapcount, prepCompound } from "../memory/folio.ts";
import { TokenFrames } from "../memory/frames.ts";
import { lruLink } from "../memory/lru-list.ts";
import { type Folio, NOT_LINKED, type Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { NO_SECTION, pageblockMigratetype } from "../memory/pageblock.ts";
import { SnapshotOwners } from "./machine-owners.ts";
import { shapeOfSnapshot } from "./machine-shape.ts";
import { placeSwapCache } from "./machine-swap.ts";
import { NO_BLOCK, type Snapshot } from "./snapshot.ts";

export interface BuildOptions {
  readonly contents: "bytes" | "tokens";
  /** Bytes written over a freed frame. */
  readonly poisonBytes?: number;
  /** Frames with one pin each. */
  readonly pins?: Int32Array;
  /** By pfn: the true counts, where they were recorded. What has no known holder is held. */
  readonly refcounts?: Int16Array;
  /** By pageblock: the true types and skip bits, as `Memory.pageblockFlags`. */
  readonly pageblockFlags?: Uint8Array;
  /** First frames of the free blocks that were freed last, in that order. */
  readonly freedLast?: Int32Array;
}

/** Flags of an instant that nobody is there to end. */
const MOMENTARY = PG.locked | PG.waiters | PG.writeback | PG.isolated;

/** What only a folio on the LRU may have. */
const LRU_STATE = PG.active | PG.unevictable;

/** What only a folio with an owner may have. */
const OWNER_STATE = PG.private | PG.private2;

/** Pages without a state of their own, and those that never come back to the allocator. */
const NOT_OWNED = PG.tail | PG.hole | PG.reserved | PG.hwpoison;

export function machineFromSnapshot(snapshot: Snapshot, options: BuildOptions): Machine {
  const shape = shapeOfSnapshot(snapshot);
  const frames =
    options.contents === "bytes"
      ? byteFrames(snapshot.pageCount, options.poisonBytes)
      : new TokenFrames(snapshot.pageCount);
  const machine = new Machine(shape, frames);
  const { mem } = machine;
  mem.flags.set(snapshot.flags);
  placeBlockTypes(mem, snapshot, options);
  placeBlocks(mem, snapshot, options);
  new SnapshotOwners(machine, snapshot).place();
  placeSwapCache(machine, snapshot);
  for (let at = 0; at < mem.pageCount; at++) {
    const pfn = at as Pfn;
    if (pageBuddy(mem, pfn)) at += (1 << buddyOrder(mem, pfn)) - 1;
    else if ((mem.flags[pfn] & NOT_OWNED) === 0) finishFolio(machine, pfn as Folio, options);
  }
  for (const pfn of options.pins ?? []) pin(machine, mem.pfn(pfn));
  return machine;
}

function placeBlockTypes(mem: Memory, snapshot: Snapshot, options: BuildOptions): void {
  if (options.pageblockFlags !== undefined) {
    mem.pageblockFlags.set(options.pageblockFlags);
    return;
  }
  for (let block = 0; block < mem.pageblockFlags.length; block++) {
    const type = snapshot.blockType[block];
    mem.pageblockFlags[block] = type === NO_BLOCK ? NO_SECTION : type;
  }
}

/**
 * Free blocks onto their lists, heads and tails tied together.
 *
 * A snapshot does not say how the lists are ordered: they become as if blocks had been freed in
 * ascending order, but for those that the options name.
 */
function placeBlocks(mem: Memory, snapshot: Snapshot, { freedLast }: BuildOptions): void {
  const isLate = new Set(freedLast);
  for (let at = 0; at < mem.pageCount; at++) {
    const pfn = at as Pfn;
    const flags = mem.flags[pfn];
    if ((flags & PG.buddy) !== 0) {
      mem.flags[pfn] = 0;
      if (!isLate.has(pfn)) placeBlock(mem, pfn, snapshot.order[pfn]);
      at += (1 << snapshot.order[pfn]) - 1;
    } else if ((flags & PG.head) !== 0 && snapshot.order[pfn] > 0) {
      prepCompound(mem, pfn, snapshot.order[pfn]);
    }
  }
  for (const pfn of isLate) placeBlock(mem, mem.pfn(pfn), snapshot.order[pfn]);
}

function placeBlock(mem: Memory, pfn: Pfn, order: number): void {
  const zone = mem.zoneOf(pfn);
  const type = pageblockMigratetype(mem, pfn);
  if (type === MIGRATE.isolate) zone.isolatedBlocks++;
  placeFreeBlock(mem, zone, pfn, order, type);
}

/** A folio that no process or file has is held from outside; one on the LRU is linked there. */
function finishFolio(machine: Machine, folio: Folio, options: BuildOptions): void {
  const { mem } = machine;
  const flags = mem.flags[folio];
  const isOnLru = (flags & PG.lru) !== 0;
  const isOwned = mem.refcount[folio] > 0;
  mem.flags[folio] = flags & ~(MOMENTARY | (isOnLru ? 0 : LRU_STATE));
  if (!isOwned) {
    mem.flags[folio] &= ~OWNER_STATE;
    if (!isOnLru) mem.flags[folio] |= PG.kernel;
    hold(machine, folio, 1);
  }
  const extra = (options.refcounts?.[folio] ?? 0) - mem.refcount[folio];
  if (extra > 0) hold(machine, folio, extra);
  if ((flags & PG.mlocked) !== 0) mem.nodeOf(folio).mlockedPages += folioNrPages(mem, folio);
  if (!isOnLru) {
    if (isOwned) machine.offLru.add(folio);
    return;
  }
  mem.flags[folio] &= ~PG.lru;
  lruLink(mem, folio, "tail");
  // Unevictable folios are not linked; the link holds how many locked mappings there are.
  const isUnlinked = mem.next[folio] === NOT_LINKED;
  if (isUnlinked && (flags & PG.mlocked) !== 0) mem.prev[folio] = pageMapcount(mem, folio);
}

function hold(machine: Machine, folio: Folio, count: number): void {
  machine.mem.refcount[folio] += count;
  machine.recordHold(folio, count);
}

function pin(machine: Machine, pfn: Pfn): void {
  if (machine.mem.refcount[pfn] > 0) hold(machine, pfn as Folio, GUP_PIN_COUNTING_BIAS);
}
