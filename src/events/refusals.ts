/**
 * Why a folio did not move: what refused, what was found and what was expected.
 *
 * The kernel knows this for an instant and tells nobody. Here the one who refuses says so with
 * `refuse` (two numbers and a name, nothing allocated), and the loop that gives the folio up keeps
 * the last word with `settle`. A later success of the same page forgets it.
 */

/** What can refuse. Each has one sentence in `REFUSAL_TEXT`. */
export const REFUSAL_TEXT = {
  refcount: "someone outside the page tables holds a reference (a pin, or a batch)",
  locked: "another task holds the folio lock",
  dst_locked: "another task holds the lock of the new folio",
  writeback: "the folio is being written to storage",
  still_mapped: "a page table entry could not be replaced (pinned while exclusive)",
  private_dirty: "its owner cannot migrate it and it is dirty",
  private_busy: "its owner would not give up the private state",
  buffer_locked: "input or output on one of its buffers is under way",
  buffer_held: "someone holds one of its buffers, and reads and writes it by that alone",
  driver_keeps: "the driver that owns it would not have it isolated",
  driver_busy: "the driver that owns it could not move it just then",
  driver_refuses: "the driver that owns it would not move it",
  mapping_locked: "somebody is changing who maps its file",
  no_swap: "without a migration entry it needs a slot in swap, and there is none",
  orphaned: "truncated, with private state that is still in use",
  no_target: "no free page was left to move to",
} as const;

export type RefusalName = keyof typeof REFUSAL_TEXT;

export interface Refusal {
  readonly name: RefusalName;
  readonly found: number;
  readonly expected: number;
}

export class Refusals {
  /** The folios that were given up and have not moved since, by page frame number. */
  readonly standing: Map<number, Refusal> = new Map();
  /** How often each refusal was met, every attempt counted. */
  readonly counts: Record<RefusalName, number> = Object.fromEntries(
    Object.keys(REFUSAL_TEXT).map((name) => [name, 0]),
  ) as Record<RefusalName, number>;
  private lastName: RefusalName = "refcount";
  private lastFound = 0;
  private lastExpected = 0;

  /** Says why the present attempt fails. `found` and `expected` are counts or 0 and 1. */
  refuse(name: RefusalName, found: number, expected: number): void {
    this.counts[name]++;
    this.lastName = name;
    this.lastFound = found;
    this.lastExpected = expected;
  }

  /** The attempts on `pfn` are over and it stays where it is. */
  settle(pfn: number): void {
    const refusal = { name: this.lastName, found: this.lastFound, expected: this.lastExpected };
    this.standing.set(pfn, refusal);
  }

  /** `pfn` has moved away, or was freed. */
  forget(pfn: number): void {
    if (this.standing.size > 0) this.standing.delete(pfn);
  }
}
