/**
 * How often each outcome and each refusal occurred, over all rounds of a soak.
 *
 * Names are declared first, with what has to happen for them; one that never occurred means that
 * the soak does not reach what it claims to try, and fails it.
 */
import { assert } from "../src/base/assert.ts";
import { REFUSAL_TEXT, type RefusalName } from "../src/events/refusals.ts";

/** What operations end in, by the operation. */
type Operation = "fault" | "fork" | "mremap" | "pin" | "compaction" | "move_pages" | "page_status";

const OUTCOMES: Readonly<Record<Operation, readonly string[]>> = {
  fault: ["done", "SIGBUS", "SIGSEGV"],
  fork: ["done", "no memory"],
  mremap: ["done", "ENOMEM"],
  pin: ["done", "fault"],
  compaction: ["skipped", "success", "partial_skipped", "complete", "contended"],
  move_pages: ["0", "some stayed", "ENOMEM", "ENODEV"],
  page_status: ["node", "EFAULT", "ENOENT", "EACCES", "EBUSY"],
};

export class Outcomes {
  private readonly counts: Map<string, number> = new Map();

  constructor() {
    for (const [operation, outcomes] of Object.entries(OUTCOMES)) {
      for (const outcome of outcomes) this.counts.set(`${operation}: ${outcome}`, 0);
    }
    for (const name of Object.keys(REFUSAL_TEXT)) this.counts.set(`refused: ${name}`, 0);
  }

  count(operation: Operation, outcome: string): void {
    this.add(`${operation}: ${outcome}`, 1);
  }

  /** Takes over what one machine counted. */
  addRefusals(counts: Readonly<Record<RefusalName, number>>): void {
    for (const [name, count] of Object.entries(counts)) this.add(`refused: ${name}`, count);
  }

  /** By name, in the order of their declaration. */
  table(): [string, number][] {
    return [...this.counts];
  }

  neverSeen(): string[] {
    return this.table().flatMap(([name, count]) => (count === 0 ? [name] : []));
  }

  private add(name: string, count: number): void {
    const before = this.counts.get(name);
    assert(before !== undefined, "an outcome that was not declared:", name);
    this.counts.set(name, before + count);
  }
}
