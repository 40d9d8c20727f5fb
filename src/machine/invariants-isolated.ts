/**
 * What must hold of folios that somebody has taken off the LRU: each is counted until it is back.
 *
 * Nothing marks them. A folio that has an owner is on the LRU or in a batch on its way there, if it
 * is not in somebody's hands; so this rule, more than others, is for a machine at rest. Advice and
 * the splitting of queued folios do not count what they take, as in Linux, and a huge page of a
 * pool or a driver's page is never counted. Linux: NR_ISOLATED_ANON, NR_ISOLATED_FILE.
 */
import { folioNrPages } from "../memory/folio.ts";
import { isolatedClass } from "../memory/lru-list.ts";
import { folioTestMovable } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

const NEVER_COUNTED = PG.lru | PG.tail | PG.hole | PG.reserved | PG.buddy | PG.hugetlb;

export const ISOLATED_INVARIANTS: readonly Invariant[] = [
  { name: "what is off the LRU is counted, by node and class", check: checkIsolated },
];

function checkIsolated({ mem, offLru }: Machine): string | null {
  const onTheirWay = foliosInBatches(mem);
  const found = mem.nodes.map(() => new Int32Array(2));
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    const folio = pfn as Folio;
    if ((mem.flags[folio] & NEVER_COUNTED) !== 0 || mem.mapping[folio] === 0) continue;
    if (mem.refcount[folio] === 0 || folioTestMovable(mem, folio)) continue;
    if (onTheirWay.has(folio) || offLru.has(folio)) continue;
    found[mem.nodeOf(folio).id][isolatedClass(mem, folio)] += folioNrPages(mem, folio);
  }
  for (const { id, isolatedPages } of mem.nodes) {
    if (found[id].join() === isolatedPages.join()) continue;
    const [off, counted] = [found[id], isolatedPages].map((pages) => pages.join(" and "));
    return `node ${id}: ${off} pages of memory and of files are off the LRU, counted ${counted}`;
  }
  return null;
}

/** On their way to the LRU for the first time, or back. */
function foliosInBatches(mem: Memory): Set<Folio> {
  const folios = new Set<Folio>();
  for (const { add, addCount, mlock, mlockCount } of mem.lruBatches) {
    for (const folio of add.subarray(0, addCount)) folios.add(folio as Folio);
    for (const folio of mlock.subarray(0, mlockCount)) folios.add(folio as Folio);
  }
  return folios;
}
