/**
 * What must hold of large folios: their huge entries, and the queues of those to be split.
 *
 * Found by looking at every page table and every queue, as the rules of `invariants.ts` are.
 */
import { folioOfDeferredLink } from "../memory/deferred-split.ts";
import { folioNrPages, folioOrder } from "../memory/folio.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { listFirst, listIsEnd } from "../memory/page-list.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import type { Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

export const LARGE_INVARIANTS: readonly Invariant[] = [
  { name: "huge entries are counted by the folios that they map", check: checkHugeMapcounts },
  { name: "folios to be split are queued once", check: checkDeferredSplits },
];

/** Huge entries that map each folio, against the count in its first tail. */
function checkHugeMapcounts({ mem, vm }: Machine): string | null {
  const mapped = new Map<number, number>();
  for (const mm of vm.mms) {
    for (const vma of mm?.vmas ?? []) {
      for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
        const entry = vma.mm.directory.findHuge(vpn);
        if (entry === NO_ENTRY || vpn !== hugeStart(vpn)) continue;
        const bits = vm.tables.bits(entry);
        const where = `${vma.mm.name} page ${vpn}`;
        if (vpn + HUGE_PAGES > vma.endVpn) return `${where}: a huge entry reaches beyond its VMA`;
        if (bits !== 0 && (bits & PTE.huge) === 0) return `${where}: a huge entry without its mark`;
        if ((bits & (PTE.present | PTE.special)) !== PTE.present) continue;
        const pfn = vm.tables.pfn(entry);
        if (folioNrPages(mem, pfn as Folio) !== HUGE_PAGES)
          return `${where}: maps ${pfn}, no huge folio`;
        mapped.set(pfn, (mapped.get(pfn) ?? 0) + 1);
      }
    }
  }
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    if ((mem.flags[pfn] & (PG.head | PG.buddy)) !== PG.head) continue;
    const found = mapped.get(pfn) ?? 0;
    const counted = mem.mapping[pfn + 1];
    if (found !== counted) return `folio ${pfn}: ${found} huge entries, counted ${counted}`;
  }
  return null;
}

/** Each queue of folios to be split: anonymous ones of this node, in use, counted. */
function checkDeferredSplits({ mem }: Machine): string | null {
  for (const { id, deferredSplit, deferredSplitCount } of mem.nodes) {
    let queued = 0;
    let link = listFirst(mem, deferredSplit);
    for (; !listIsEnd(deferredSplit, link); link = mem.next[link] as Pfn) {
      const folio = folioOfDeferredLink(link);
      const where = `folio ${folio}, queued to be split,`;
      if (folioOrder(mem, folio) < 2) return `${where} has order ${folioOrder(mem, folio)}`;
      if (!folioTestAnon(mem, folio)) return `${where} is not anonymous`;
      if (mem.refcount[folio] === 0) return `${where} has no references`;
      if (mem.nodeOf(folio).id !== id) return `${where} is of another node than ${id}`;
      queued++;
    }
    if (queued !== deferredSplitCount) {
      return `node ${id}: ${queued} folios queued to be split, counted ${deferredSplitCount}`;
    }
  }
  return null;
}
