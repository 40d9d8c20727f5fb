/**
 * A free block that a direct compactor is handed as soon as it comes about, before any list.
 *
 * The compactor moves pages so that one block of its order becomes free; without capture the
 * next allocation of another task could take it off the list first. It sees only what its own
 * task frees: `withCapture` sets it while that task runs.
 * Linux: `struct capture_control`, `compaction_capture()`, mm/page_alloc.c, 6.1.
 */
import type { Blocking } from "../sched/blocking.ts";
import { inContext } from "../sched/run.ts";
import { MIGRATE, PAGEBLOCK_ORDER } from "./constants.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import type { Zone } from "./zone.ts";

/** What a compactor waits for, and what it got. */
export class Capture {
  readonly zone: Zone;
  readonly order: number;
  /** The first page of the block, on no list and with no reference; -1 until there is one. */
  page: Pfn = -1 as Pfn;

  constructor(zone: Zone, order: number) {
    this.zone = zone;
    this.order = order;
  }
}

/**
 * Runs a compaction on behalf of an allocation: what it frees may be captured, and whatever it
 * allocates in turn neither reclaims nor compacts (PF_MEMALLOC).
 */
export function* withCapture<T>(
  mem: Memory,
  capture: Capture,
  start: () => Blocking<T>,
): Blocking<T> {
  const outer = { capture: mem.capture, memalloc: mem.memalloc };
  const context = {
    enter: () => {
      mem.capture = capture;
      mem.memalloc = true;
    },
    leave: () => {
      mem.capture = outer.capture;
      mem.memalloc = outer.memalloc;
    },
  };
  return yield* inContext(context, start);
}

/**
 * Runs work that makes room: what it allocates neither reclaims nor compacts.
 *
 * Linux: `memalloc_noreclaim_save()`, PF_MEMALLOC.
 */
export function* withMemalloc<T>(mem: Memory, start: () => Blocking<T>): Blocking<T> {
  const outer = mem.memalloc;
  const context = {
    enter: () => {
      mem.memalloc = true;
    },
    leave: () => {
      mem.memalloc = outer;
    },
  };
  return yield* inContext(context, start);
}

/**
 * Takes a block that is about to be free, if it is what the compactor waits for.
 *
 * Not out of CMA or isolated memory; and a block smaller than a pageblock not out of a movable
 * one, where it might serve a request of another kind.
 */
export function tryCapture(
  capture: Capture,
  zone: Zone,
  pfn: number,
  order: number,
  migratetype: number,
): boolean {
  if (capture.zone !== zone || capture.order !== order || capture.page !== -1) return false;
  if (migratetype === MIGRATE.cma || migratetype === MIGRATE.isolate) return false;
  if (order < PAGEBLOCK_ORDER && migratetype === MIGRATE.movable) return false;
  capture.page = pfn as Pfn;
  return true;
}
