/**
 * Shrinkers: caches of the rooms above that can give memory back, page by page or object by object.
 *
 * Reclaim asks each how much it has, in objects of its own, and has it scan a share that grows with
 * the pressure. A scan answers how many objects it freed, or -1: nothing can be freed now, do not
 * go on. Owners register in `Memory.shrinkers` and take themselves out again.
 * Linux: `struct shrinker`, mm/vmscan.c, 6.1.
 */
import type { Blocking } from "../sched/blocking.ts";
import type { Memory } from "./memory.ts";

/** What a scan answers that cannot make progress. Linux: `SHRINK_STOP`. */
export const SHRINK_STOP = -1;

export interface Shrinker {
  /** Whose objects these are, as reports print it. */
  readonly name: string;
  /** How costly an object is to bring back; 2 for most, 0 for free. Linux: `DEFAULT_SEEKS`. */
  readonly seeks: number;
  /** Objects to scan at a time; 128 for most. */
  readonly batch: number;
  /** Work that was put off, by node. Reclaim alone changes it. Linux: `nr_deferred`. */
  readonly deferred: Map<number, number>;
  /** Objects that could be freed on a node; 0 ends the matter. Linux: `count_objects`. */
  readonly countObjects: (mem: Memory, node: number) => number;
  /** Scans that many objects and frees what it can of them. Linux: `scan_objects`. */
  readonly scanObjects: (mem: Memory, node: number, count: number) => Blocking<number>;
}
