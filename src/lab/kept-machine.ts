/**
 * A machine that is made once and restored for each run by a copy of its columns.
 *
 * For scenarios that change nothing of a machine but its columns: locks, flags, counts, links. It
 * is some hundred times cheaper than a new one. That nothing else was changed is checked at the
 * end of the search, object by object against a new machine.
 */
import { InvariantError } from "../base/assert.ts";
import type { Machine } from "../machine/machine.ts";
import { smallMachine } from "../machine/small-machine.ts";
import type { Memmap } from "../memory/memmap.ts";
import type { SmallMemoryShape } from "../memory/small-memory.ts";

type Columns = readonly Int32Array[];

export class KeptMachine {
  readonly machine: Machine;
  private readonly shape: SmallMemoryShape | undefined;
  private readonly columns: Columns;
  private readonly saved: Columns;

  constructor(shape: SmallMemoryShape | undefined) {
    this.shape = shape;
    this.machine = smallMachine(shape);
    this.columns = columnsOf(this.machine.mem);
    this.saved = this.columns.map((column) => column.slice());
  }

  /** As it was at first, as far as columns go. */
  restore(): Machine {
    const { columns, saved } = this;
    for (let at = 0; at < columns.length; at++) columns[at].set(saved[at]);
    return this.machine;
  }

  /** Throws if anything but the columns is not as in a new machine. */
  check(): void {
    this.restore();
    const place = firstDifference(this.machine, smallMachine(this.shape));
    if (place === null) return;
    throw new InvariantError(`a kept machine was changed beside its columns: ${place}`);
  }
}

function columnsOf(mem: Memmap): Columns {
  const { flags, refcount, mapcount, mapping, index, next, prev } = mem;
  return [flags, refcount, mapcount, mapping, index, mem.private, next, prev];
}

/** Walks two graphs of objects side by side; where they first differ, as a path, or null. */
function firstDifference(left: object, right: object): string | null {
  const seen = new Map<object, object>();
  const pending: [path: string, a: unknown, b: unknown][] = [["machine", left, right]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, a, b] = next;
    if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) {
      // Functions are closures over objects that are met otherwise.
      if (typeof a !== "function" && !Object.is(a, b)) return path;
      continue;
    }
    const known = seen.get(a);
    if (known !== undefined) {
      if (known !== b) return path;
      continue;
    }
    seen.set(a, b);
    const [inA, inB] = [partsOf(a), partsOf(b)];
    if (inA.length !== inB.length) return path;
    for (const [at, [name, value]] of inA.entries()) {
      pending.push([`${path}.${name}`, value, inB[at][1]]);
    }
  }
  return null;
}

/** What an object holds, with names for messages. */
function partsOf(object: object): (readonly [string, unknown])[] {
  if (object instanceof Map)
    return [...object].flatMap(([key, value], at) => [
      [`key ${at}`, key] as const,
      [`${String(key)}`, value] as const,
    ]);
  if (object instanceof Set) return [...object].map((value, at) => [`${at}`, value] as const);
  return Object.entries(object);
}
