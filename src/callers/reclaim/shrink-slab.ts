/**
 * Asking the caches that registered a shrinker for their share.
 *
 * The share is what the LRU lists lose at this priority, times what the objects are worth to their
 * owner. What is less than a batch is put off and adds up, so that a small cache is not left alone
 * for ever. Linux: `shrink_slab()`, `do_shrink_slab()`, mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import type { Memory } from "../../memory/memory.ts";
import { SHRINK_STOP, type Shrinker } from "../../memory/shrinker.ts";
import type { Blocking } from "../../sched/blocking.ts";

/** Returns how many objects were freed on the node. */
export function* shrinkSlab(mem: Memory, node: number, priority: number): Blocking<number> {
  let freed = 0;
  // An owner may take itself out while it is asked.
  for (const shrinker of [...mem.shrinkers]) {
    freed += yield* doShrinkSlab(mem, shrinker, node, priority);
  }
  return freed;
}

function* doShrinkSlab(
  mem: Memory,
  shrinker: Shrinker,
  node: number,
  priority: number,
): Blocking<number> {
  const { batch, seeks, deferred } = shrinker;
  const freeable = shrinker.countObjects(mem, node);
  if (freeable === 0) return 0;
  const before = deferred.get(node) ?? 0;
  deferred.set(node, 0);
  const share =
    seeks > 0
      ? Math.floor((Math.floor(freeable / 2 ** priority) * 4) / seeks)
      : Math.floor(freeable / 2);
  let toScan = Math.min(Math.floor(before / 2 ** priority) + share, 2 * freeable);
  let scanned = 0;
  let freed = 0;
  while (toScan > 0 && (toScan >= batch || toScan >= freeable)) {
    const count = Math.min(batch, toScan);
    const result = yield* shrinker.scanObjects(mem, node, count);
    if (result === SHRINK_STOP) break;
    freed += result;
    scanned += count;
    toScan -= count;
    mem.events.count(VM_EVENT.slabs_scanned, count);
  }
  const left = Math.min(Math.max(before + share - scanned, 0), 2 * freeable);
  // Others may have put work off meanwhile.
  deferred.set(node, (deferred.get(node) ?? 0) + left);
  return freed;
}
