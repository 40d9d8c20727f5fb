/**
 * What must hold of a whole machine whenever no task is in the middle of something.
 *
 * Each rule is a function that finds its violations by looking at everything, trusting no counter:
 * the free lists, the LRU, the page tables and files, the references. `checkInvariants` may be
 * called after any step of a run; it costs a pass over the memory map and the page tables.
 */
import { InvariantError } from "../base/assert.ts";
import { GUP_PIN_COUNTING_BIAS, MAX_ORDER, MIGRATE_TYPES } from "../memory/constants.ts";
import { folioNrPages, folioOrder, pageFolio } from "../memory/folio.ts";
import { folioLruList } from "../memory/lru-list.ts";
import { mappingWord } from "../memory/mapping-word.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { LRU, LRU_NAMES } from "../memory/node.ts";
import { PG } from "../memory/page-flags.ts";
import { listFirst, listIsEnd } from "../memory/page-list.ts";
import type { Zone } from "../memory/zone.ts";
import { folioTestHugetlb } from "../vm/hugetlb/folio-state.ts";
import { NO_ENTRY } from "../vm/page-tables.ts";
import { PTE, PTE_MIGRATION } from "../vm/pte.ts";
import { HUGETLB_INVARIANTS } from "./invariants-hugetlb.ts";
import { ISOLATED_INVARIANTS } from "./invariants-isolated.ts";
import { checkKsm } from "./invariants-ksm.ts";
import { LARGE_INVARIANTS } from "./invariants-large.ts";
import { checkMovable, driverReferences } from "./invariants-movable.ts";
import { PAGECACHE_INVARIANTS } from "./invariants-pagecache.ts";
import { SWAP_INVARIANTS } from "./invariants-swap.ts";
import { TRANSLATION_INVARIANTS } from "./invariants-tlb.ts";
import type { Machine } from "./machine.ts";

/** Throws with the first violation of each rule, or returns. */
export function checkInvariants(machine: Machine): void {
  const rules = [
    ...INVARIANTS,
    ...ISOLATED_INVARIANTS,
    ...LARGE_INVARIANTS,
    ...SWAP_INVARIANTS,
    ...HUGETLB_INVARIANTS,
    ...TRANSLATION_INVARIANTS,
    ...PAGECACHE_INVARIANTS,
  ];
  const found = rules.map(({ check }) => check(machine)).filter((text) => text !== null);
  if (found.length > 0) throw new InvariantError(found.join("; "));
}

/** A rule: its name, and what is wrong with the machine by it, or null. */
export interface Invariant {
  readonly name: string;
  readonly check: (machine: Machine) => string | null;
}

export const INVARIANTS: readonly Invariant[] = [
  { name: "free blocks are whole, aligned, merged and counted", check: checkFreeLists },
  { name: "per-CPU pages are counted", check: checkPcpLists },
  {
    name: "PG_lru means linked, on the right list, and counted, as is PG_mlocked",
    check: checkLru,
  },
  { name: "map counts are the page table entries", check: checkMapcounts },
  { name: "files and their folios name each other, and are counted", check: checkFiles },
  { name: "every reference has a holder", check: checkReferences },
  { name: "what cgroups pay for is what is charged to them", check: checkCharges },
  { name: "a movable page is its driver's alone", check: checkMovable },
  {
    name: "merged pages and their nodes name each other, and each mapping is known",
    check: checkKsm,
  },
];

function checkFreeLists({ mem }: Machine): string | null {
  for (const zone of mem.zones) {
    const blocks = new Int32Array(MAX_ORDER);
    let pages = 0;
    for (let order = 0; order < MAX_ORDER; order++) {
      for (let type = 0; type < MIGRATE_TYPES; type++) {
        for (const pfn of pagesOf(mem, zone.freeList(order, type))) {
          const wrong = freeBlockFault(mem, zone, pfn, order);
          if (wrong !== null) return `free block ${pfn} of order ${order}: ${wrong}`;
          blocks[order]++;
          pages += 1 << order;
        }
      }
      if (blocks[order] !== zone.freeBlocks[order]) {
        return `zone ${zone.type}: ${blocks[order]} blocks of order ${order}, counted ${zone.freeBlocks[order]}`;
      }
    }
    if (zone.isolatedBlocks === 0 && pages !== zone.freePages) {
      return `zone ${zone.type}: ${pages} pages free, counted ${zone.freePages}`;
    }
  }
  return null;
}

function freeBlockFault(mem: Memory, zone: Zone, pfn: Pfn, order: number): string | null {
  if (pfn % (1 << order) !== 0) return "not aligned";
  if (mem.flags[pfn] !== PG.buddy) return `flags ${mem.flags[pfn].toString(16)}`;
  if (mem.private[pfn] !== order) return `its page says order ${mem.private[pfn]}`;
  for (let page = pfn; page < pfn + (1 << order); page = (page + 1) as Pfn) {
    if (mem.refcount[page] !== 0) return `page ${page} has references`;
    if (page !== pfn && mem.flags[page] !== 0) return `page ${page} has flags`;
    if (mem.zoneOf(page) !== zone) return `page ${page} lies in another zone`;
  }
  const buddy = pfn ^ (1 << order);
  const isTwin = order < 9 && mem.flags[buddy] === PG.buddy && mem.private[buddy] === order;
  if (isTwin && mem.zoneOf(buddy as Pfn) === zone) return `its buddy ${buddy} is free too`;
  return null;
}

function checkPcpLists({ mem }: Machine): string | null {
  for (const zone of mem.zones) {
    for (const [cpu, pcp] of zone.pcp.entries()) {
      let pages = 0;
      for (const list of pcp.lists) {
        for (const pfn of pagesOf(mem, list)) {
          if (mem.flags[pfn] !== 0) return `per-CPU page ${pfn} has flags`;
          if (mem.refcount[pfn] !== 0) return `per-CPU page ${pfn} has references`;
          pages += 1 << mem.private[pfn];
        }
      }
      if (pages !== pcp.count) {
        return `zone ${zone.type}, cpu ${cpu}: ${pages} per-CPU pages, counted ${pcp.count}`;
      }
    }
  }
  return null;
}

function checkLru({ mem }: Machine): string | null {
  for (const node of mem.nodes) {
    const counted = new Int32Array(LRU_NAMES.length);
    const byZone = new Map(node.zones.map((zone) => [zone, new Int32Array(LRU_NAMES.length)]));
    for (let lru = 0; lru < LRU.unevictable; lru++) {
      for (const pfn of pagesOf(mem, node.lruLists[lru])) {
        if ((mem.flags[pfn] & PG.lru) === 0) return `folio ${pfn} is on an LRU list without PG_lru`;
        if (folioLruList(mem, pfn as Folio) !== lru) return `folio ${pfn} is on list ${lru}`;
        countLru(mem, pfn as Folio, lru, counted, byZone);
      }
    }
    let flagged = 0;
    let mlocked = 0;
    for (let pfn = 0; pfn < mem.pageCount; pfn++) {
      if ((mem.flags[pfn] & (PG.lru | PG.mlocked)) === 0) continue;
      if (mem.nodeOf(pfn as Pfn) !== node) continue;
      const pages = folioNrPages(mem, pfn as Folio);
      if ((mem.flags[pfn] & PG.mlocked) !== 0) mlocked += pages;
      if ((mem.flags[pfn] & PG.lru) === 0) continue;
      if ((mem.flags[pfn] & PG.unevictable) !== 0) {
        countLru(mem, pfn as Folio, LRU.unevictable, counted, byZone);
      }
      flagged += pages;
    }
    if (mlocked !== node.mlockedPages) {
      return `node ${node.id}: ${mlocked} pages mlocked, counted ${node.mlockedPages}`;
    }
    const linked = counted.reduce((sum, pages) => sum + pages, 0);
    if (linked !== flagged) return `node ${node.id}: PG_lru on ${flagged} pages, ${linked} linked`;
    for (const [lru, pages] of counted.entries()) {
      if (pages !== node.lruPages[lru]) {
        return `node ${node.id}: ${pages} pages ${LRU_NAMES[lru]}, counted ${node.lruPages[lru]}`;
      }
    }
    for (const [zone, found] of byZone) {
      if (found.join() !== zone.lruPages.join()) {
        return `zone ${zone.type}: ${found.join(" ")} pages on its lists, counted ${zone.lruPages.join(" ")}`;
      }
    }
  }
  return null;
}

function countLru(
  mem: Memory,
  folio: Folio,
  lru: number,
  counted: Int32Array,
  byZone: ReadonlyMap<Zone, Int32Array>,
): void {
  const pages = folioNrPages(mem, folio);
  counted[lru] += pages;
  const inZone = byZone.get(mem.zoneOf(folio));
  if (inZone !== undefined) inZone[lru] += pages;
}

function checkMapcounts({ mem, vm }: Machine): string | null {
  const mapped = new Int32Array(mem.pageCount);
  for (const mm of vm.mms) {
    if (mm === undefined) continue;
    let entries = 0;
    for (const vma of mm.vmas) {
      for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
        const entry = mm.directory.lookUp(vpn);
        if (entry === NO_ENTRY) continue;
        const bits = vm.tables.bits(entry);
        if ((bits & PTE.special) !== 0) continue;
        if (bits !== 0 && (bits & PTE.swap) === 0) entries++;
        if (
          (bits & PTE_MIGRATION) !== 0 &&
          (mem.flags[headOf(mem, vm.tables.pfn(entry))] & PG.locked) === 0
        ) {
          return `${mm.name} page ${vpn}: a migration entry of an unlocked folio`;
        }
        if ((bits & (PTE.present | PTE.huge)) === PTE.present) mapped[vm.tables.pfn(entry)]++;
      }
    }
    const counted = mm.rssPages + mm.hugetlbPages;
    if (entries !== counted) return `${mm.name}: ${entries} entries, counted ${counted}`;
  }
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    if (mapped[pfn] !== mem.mapcount[pfn]) {
      return `page ${pfn}: ${mapped[pfn]} entries, mapcount ${mem.mapcount[pfn]}`;
    }
  }
  return null;
}

function checkFiles({ mem, vm }: Machine): string | null {
  const filePages = mem.nodes.map(() => 0);
  const shmemPages = mem.nodes.map(() => 0);
  let cached = 0;
  for (const { id, name, folios } of vm.cache.mappings) {
    let slots = 0;
    let wrong: string | null = null;
    folios.forEach((offset, folio) => {
      const at = offset - mem.index[folio];
      const isOurs = mem.mapping[folio] === mappingWord(id, 0);
      if (!isOurs) wrong = `${name} page ${offset}: folio ${folio} is not this file's`;
      else if (at < 0 || at >= folioNrPages(mem, folio)) {
        wrong = `${name} page ${offset}: folio ${folio} says ${mem.index[folio]}`;
      }
      slots++;
      // Huge pages are counted by their pool.
      if (folioTestHugetlb(mem, folio)) return;
      const { id: node } = mem.nodeOf(folio);
      filePages[node]++;
      if ((mem.flags[folio] & PG.swapbacked) !== 0) shmemPages[node]++;
    });
    if (wrong !== null) return wrong;
    if (slots !== folios.pageCount) return `${name}: ${slots} pages, counted ${folios.pageCount}`;
    cached += slots;
  }
  let named = 0;
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    if ((mem.flags[pfn] & PG.tail) !== 0 || mem.mapping[pfn] === 0) continue;
    const mapping = vm.cache.folioMapping(pfn as Folio);
    if (mapping !== null && mapping !== vm.cache.swapMapping)
      named += folioNrPages(mem, pfn as Folio);
  }
  if (named !== cached) return `${named} pages name a file, ${cached} are in one`;
  for (const node of mem.nodes) {
    const counts = [filePages[node.id], shmemPages[node.id]].join(" and ");
    const counted = [node.filePages - node.swapcachePages, node.shmemPages].join(" and ");
    if (counts !== counted)
      return `node ${node.id}: ${counts} file and shmem pages, counted ${counted}`;
  }
  return null;
}

function checkCharges({ mem }: Machine): string | null {
  if (mem.pageExt === null) return null;
  const { memcg, charged } = mem.pageExt;
  const found = new Array<number>(charged.length).fill(0);
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    if (memcg[pfn] === 0) continue;
    if (mem.refcount[pfn] === 0)
      return `page ${pfn}: cgroup ${memcg[pfn]} pays for it, and it is free`;
    found[memcg[pfn]] = (found[memcg[pfn]] ?? 0) + folioNrPages(mem, pfn as Folio);
  }
  const wrong = found.findIndex((pages, cgroup) => pages !== (charged[cgroup] ?? 0));
  return wrong === -1 ? null : `cgroup ${wrong}: ${found[wrong]} pages, charged ${charged[wrong]}`;
}

/** References of a folio: its entries, its owner, its private state, a batch, and holds. */
function checkReferences(machine: Machine): string | null {
  const { mem, vm, holds } = machine;
  const batched = countBatched(mem);
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    const flags = mem.flags[pfn];
    if ((flags & (PG.hole | PG.reserved | PG.buddy | PG.tail)) !== 0) continue;
    const found = mem.refcount[pfn];
    // A free page has no holders: those that the columns can tell would stand here.
    if (found === 0 && mem.mapcount[pfn] === 0 && mem.mapping[pfn] === 0) continue;
    const folio = pfn as Folio;
    const pages = 1 << folioOrder(mem, folio);
    let expected = (holds.get(folio) ?? 0) + (batched.get(pfn) ?? 0);
    expected += (machine.pins.get(folio) ?? 0) * (pages > 1 ? 1 : GUP_PIN_COUNTING_BIAS);
    if (pages > 1) expected += mem.mapping[pfn + 1];
    if (folio === vm.hugeZero.folio) expected++;
    for (let page = pfn; page < pfn + pages; page++) expected += mem.mapcount[page];
    const isCached = vm.cache.folioMapping(folio) !== null;
    if (isCached) expected += folioTestHugetlb(mem, folio) ? 1 : pages;
    if ((flags & PG.private) !== 0) expected++;
    expected += driverReferences(machine, folio);
    if (found !== expected) return `folio ${pfn}: ${found} references, ${expected} holders`;
  }
  return null;
}

function countBatched(mem: Memory): Map<number, number> {
  const batched = new Map<number, number>();
  for (const { add, addCount, mlock, mlockCount, moves } of mem.lruBatches) {
    const folios = [
      ...add.subarray(0, addCount),
      ...mlock.subarray(0, mlockCount),
      ...moves.flat(),
    ];
    for (const folio of folios) batched.set(folio, (batched.get(folio) ?? 0) + 1);
  }
  return batched;
}

function headOf(mem: Memory, pfn: number): Folio {
  return pageFolio(mem, pfn as Pfn);
}

function* pagesOf(mem: Memory, list: PageList): Generator<Pfn> {
  for (let page = listFirst(mem, list); !listIsEnd(list, page); page = mem.next[page] as Pfn) {
    yield page;
  }
}
