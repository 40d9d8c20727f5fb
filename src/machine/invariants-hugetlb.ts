/**
 * What must hold of the pool of huge pages at rest: its counts are its folios, its promises are
 * what mappings and files were promised and have not had yet.
 */
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { listFirst, listIsEnd } from "../memory/page-list.ts";
import { HPG, testHugetlbBit } from "../vm/hugetlb/folio-state.ts";
import { type Hstate, HUGETLB_PAGES } from "../vm/hugetlb/hstate.ts";
import { hugeIndex } from "../vm/hugetlb/reserve.ts";
import type { Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

export const HUGETLB_INVARIANTS: readonly Invariant[] = [
  { name: "huge pages of the pool are free or in use, and counted", check: checkPool },
  { name: "promised huge pages are counted", check: checkPromises },
];

function checkPool({ mem, vm: { hstate } }: Machine): string | null {
  if (hstate === null) return null;
  const free = new Set<number>();
  for (const [node, list] of hstate.freeLists.entries()) {
    for (const folio of foliosOf(hstate, list)) {
      free.add(folio);
      if (mem.nodeOf(folio).id !== node) return `huge page ${folio} is on node ${node}'s free list`;
      if (mem.refcount[folio] !== 0) return `huge page ${folio} is free and has references`;
      if (!testHugetlbBit(mem, folio, HPG.freed)) return `huge page ${folio} is free by its list`;
    }
  }
  const active = new Set<number>(foliosOf(hstate, hstate.activeList));
  const all = new Int32Array(mem.nodes.length);
  const freeOf = new Int32Array(mem.nodes.length);
  for (let pfn = 0 as Pfn; pfn < mem.pageCount; pfn = (pfn + 1) as Pfn) {
    if ((mem.flags[pfn] & PG.hugetlb) === 0) continue;
    const folio = pfn as Folio;
    const { id } = mem.nodeOf(folio);
    all[id]++;
    if (free.has(folio)) freeOf[id]++;
    else {
      const fault = inUseFault(hstate, folio, active);
      if (fault !== null) return `huge page ${folio} is in use, and ${fault}`;
    }
  }
  return countFault(hstate, all, freeOf);
}

function inUseFault({ mem }: Hstate, folio: Folio, active: ReadonlySet<number>): string | null {
  if (mem.refcount[folio] === 0) return "has no references";
  if (!active.has(folio)) return "on no list";
  if (!testHugetlbBit(mem, folio, HPG.migratable)) return "cannot be isolated";
  if (testHugetlbBit(mem, folio, HPG.temporary)) return "temporary";
  if (testHugetlbBit(mem, folio, HPG.restoreReserve)) return "of the reserve";
  return null;
}

function countFault(hstate: Hstate, all: Int32Array, free: Int32Array): string | null {
  const { nrHugePagesNode, freeHugePagesNode, surplusHugePagesNode } = hstate;
  for (let node = 0; node < all.length; node++) {
    const found = `${all[node]} and ${free[node]}`;
    const counted = `${nrHugePagesNode[node]} and ${freeHugePagesNode[node]}`;
    if (found !== counted) {
      return `node ${node}: ${found} huge pages and free ones, counted ${counted}`;
    }
    const surplus = surplusHugePagesNode[node];
    if (surplus < 0 || surplus > all[node]) return `node ${node}: ${surplus} surplus huge pages`;
  }
  const sum = (counts: Int32Array): number => counts.reduce((total, count) => total + count, 0);
  const sums = [sum(nrHugePagesNode), sum(freeHugePagesNode), sum(surplusHugePagesNode)].join();
  const counted = [hstate.nrHugePages, hstate.freeHugePages, hstate.surplusHugePages].join();
  return sums === counted ? null : `huge pages by node: ${sums}, counted ${counted}`;
}

function checkPromises({ vm }: Machine): string | null {
  const { hstate } = vm;
  if (hstate === null) return null;
  let promised = 0;
  for (const mm of vm.mms) {
    for (const vma of mm?.vmas ?? []) {
      if (vma.resvMap === null) continue;
      const end = hugeIndex(vma, vma.endVpn);
      for (let index = hugeIndex(vma, vma.startVpn); index < end; index++) {
        if (!vma.resvMap.has(index)) promised++;
      }
    }
  }
  const charged = hstate.subpools.map(() => 0);
  for (const { mapping, resv, subpool } of hstate.files.values()) {
    for (const index of resv) if (mapping.folios.load(index * HUGETLB_PAGES) === null) promised++;
    if (subpool !== null) charged[subpool.id] += resv.size;
  }
  const { resvHugePages, freeHugePages } = hstate;
  if (promised !== resvHugePages) {
    return `${promised} huge pages promised, counted ${resvHugePages}`;
  }
  if (resvHugePages > freeHugePages) {
    return `${resvHugePages} huge pages promised, ${freeHugePages} free`;
  }
  for (const { id, usedHugePages } of hstate.subpools) {
    if (charged[id] !== usedHugePages) {
      return `subpool ${id}: ${charged[id]} huge pages, counted ${usedHugePages}`;
    }
  }
  return null;
}

function* foliosOf({ mem }: Hstate, list: PageList): Generator<Folio> {
  for (let page = listFirst(mem, list); !listIsEnd(list, page); page = mem.next[page] as Pfn) {
    yield page as Folio;
  }
}
