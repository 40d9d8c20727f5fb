/**
 * Who has page tables of its own for a process's memory, and must be told before entries change.
 *
 * Between start and end the listener uses none of the pages, and takes none anew: what it looked up
 * before the end counts for nothing. It holds no references: telling is what keeps it right.
 * A process without listeners costs one test. Linux: mm/mmu_notifier.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Mm } from "./mm.ts";

/** Virtual pages from the first up to the second, which is not told of. */
export interface MmuNotifierOps {
  invalidateRangeStart(startVpn: number, endVpn: number): void;
  invalidateRangeEnd(startVpn: number, endVpn: number): void;
}

/** Linux: `mmu_notifier_register()`. */
export function mmuNotifierRegister(mm: Mm, ops: MmuNotifierOps): void {
  mm.notifiers = [...(mm.notifiers ?? []), ops];
}

/** Linux: `mmu_notifier_unregister()`. */
export function mmuNotifierUnregister(mm: Mm, ops: MmuNotifierOps): void {
  const left = mm.notifiers?.filter((other) => other !== ops) ?? [];
  assert(left.length + 1 === mm.notifiers?.length, "not a listener of", mm.name);
  mm.notifiers = left.length === 0 ? null : left;
}

/** Linux: `mmu_notifier_invalidate_range_start()`. */
export function invalidateRangeStart(mm: Mm, startVpn: number, endVpn: number): void {
  if (mm.notifiers === null) return;
  for (const ops of mm.notifiers) ops.invalidateRangeStart(startVpn, endVpn);
}

/** Linux: `mmu_notifier_invalidate_range_end()`. */
export function invalidateRangeEnd(mm: Mm, startVpn: number, endVpn: number): void {
  if (mm.notifiers === null) return;
  for (const ops of mm.notifiers) ops.invalidateRangeEnd(startVpn, endVpn);
}
