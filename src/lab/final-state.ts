/**
 * What the tasks of a run leave behind, as one short text: equal for two runs that end alike.
 *
 * The memory map, the first word of every frame, and the counters. By it a search that leaves
 * schedules out is held against one that does not.
 */
import { mix32 } from "../base/random.ts";
import type { Machine } from "../machine/machine.ts";
import type { Pfn } from "../memory/memmap.ts";

export function finalState(machines: readonly Machine[]): string {
  return machines.map(digest).join(" ");
}

function digest({ mem }: Machine): string {
  const hash = new Hash();
  const { flags, refcount, mapcount, mapping, index, next, prev, frames } = mem;
  for (const column of [flags, refcount, mapcount, mapping, index, mem.private, next, prev]) {
    for (const word of column) hash.add(word);
  }
  for (let pfn = 0; pfn < mem.pageCount; pfn++) hash.add(frames.readWord(pfn as Pfn, 0));
  for (const count of Object.values(mem.events.vmstat.snapshot())) hash.add(count);
  return hash.text();
}

/** Two independent sums of 32 bits. */
class Hash {
  private a = 1;
  private b = 2;

  add(word: number): void {
    this.a = mix32(this.a ^ word);
    this.b = mix32(Math.imul(this.b, 31) + word);
  }

  text(): string {
    return (this.a >>> 0).toString(16) + (this.b >>> 0).toString(16);
  }
}
