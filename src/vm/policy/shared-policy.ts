/**
 * The policies of one shared memory object: by offset, for whoever maps it.
 *
 * Set through a mapping of it and kept with the object, so that it does not matter who first uses
 * a page. Offsets without a policy go by that of the task. Linux: `struct shared_policy`,
 * `mpol_set_shared_policy()`, mm/mempolicy.c, 6.1.
 */
import type { Mempolicy } from "./mempolicy.ts";

/** `end` is one past the last page. */
interface Stretch {
  readonly first: number;
  readonly end: number;
  readonly policy: Mempolicy;
}

export class SharedPolicy {
  /** Disjoint. */
  private stretches: readonly Stretch[] = [];

  /** For the pages from `first` up to `end`; null takes away what they had. */
  set(first: number, end: number, policy: Mempolicy | null): void {
    const others = this.stretches.flatMap((stretch) => [
      { ...stretch, end: Math.min(stretch.end, first) },
      { ...stretch, first: Math.max(stretch.first, end) },
    ]);
    const kept = others.filter((stretch) => stretch.first < stretch.end);
    this.stretches = policy === null ? kept : [...kept, { first, end, policy }];
  }

  /** Linux: `mpol_shared_policy_lookup()`. */
  lookUp(offset: number): Mempolicy | null {
    return this.stretches.find(({ first, end }) => first <= offset && offset < end)?.policy ?? null;
  }
}
