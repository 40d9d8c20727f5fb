/**
 * Whether a folio was used since somebody last asked, by the young bits of its page tables.
 *
 * The walk clears what it finds. A locked VMA ends it: such a page is not reclaimed anyway. A
 * mapping that is read in sequence does not count, as each of its pages is used once. Each VMA
 * counts once, whatever number of the folio's pages it has used.
 *
 * Linux: `folio_referenced()`, mm/rmap.c, 6.1.
 */
import { folioMapcount, folioMapped, folioNrPages } from "../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioTestAnon, folioTestKsm } from "../memory/mapping-word.ts";
import { clearFlag, type Folio, testAndClearFlag } from "../memory/memmap.ts";
import { mlockFolio } from "../memory/mlock.ts";
import { PG } from "../memory/page-flags.ts";
import type { Steps } from "../sched/blocking.ts";
import { ksmMappings } from "./ksm/ksm-mappings.ts";
import { VM, type Vma } from "./mm.ts";
import { HUGE_PAGES, NO_ENTRY } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import { rmapEntry, rmapHugeEntry, rmapVmas } from "./rmap.ts";
import type { Vm } from "./vm.ts";

export interface FolioReferenced {
  /** VMAs through which it was used; 1 also if it is a file's and locked by somebody. */
  readonly count: number;
  /** VM bits of those VMAs; VM.locked if one keeps the folio. */
  readonly vmFlags: number;
}

const NOT_REFERENCED: FolioReferenced = { count: 0, vmFlags: 0 };

/** `lock` says whether the caller has the folio's lock. */
export function* folioReferenced(
  vm: Vm,
  folio: Folio,
  lock: "locked" | "unlocked",
): Steps<FolioReferenced> {
  const { mem } = vm;
  if (!folioMapped(mem, folio) || mem.mapping[folio] === 0) return NOT_REFERENCED;
  // An anonymous folio's anon_vma can be followed without its lock; a file can be truncated.
  const needsLock = !folioTestAnon(mem, folio) || folioTestKsm(mem, folio);
  const locks = lock === "unlocked" && needsLock;
  if (locks && !folioTrylock(mem, folio)) return { count: 1, vmFlags: 0 };
  const found = yield* walk(vm, folio);
  if (locks) folioUnlock(mem, folio);
  return found;
}

/** What the walk has found, and how many mappings it has yet to find. */
interface Walk {
  left: number;
  count: number;
  vmFlags: number;
}

function* walk(vm: Vm, folio: Folio): Steps<FolioReferenced> {
  const { mem } = vm;
  const found = { left: folioMapcount(mem, folio), count: 0, vmFlags: 0 };
  if (folioTestKsm(mem, folio)) {
    for (const { vma, vpn } of ksmMappings(vm, folio)) {
      yield "folio-referenced-merged";
      const entry = vma.mm.directory.find(vpn);
      if (!referencedIn(vm, vma, folio, testEntry(vm, vma, folio, entry), found)) break;
    }
    return { count: found.count, vmFlags: found.vmFlags };
  }
  for (const vma of rmapVmas(vm, folio)) {
    yield "folio-referenced-vma";
    const seen = testAndClearYoung(vm, vma, folio, mem.index[folio]);
    if (!referencedIn(vm, vma, folio, seen, found)) break;
  }
  return { count: found.count, vmFlags: found.vmFlags };
}

/** Adds what was seen of one VMA; false if the walk ends. Linux: `folio_referenced_one()`. */
function referencedIn(
  { mem }: Vm,
  vma: Vma,
  folio: Folio,
  { mapped, young }: { mapped: number; young: number },
  found: Walk,
): boolean {
  found.left -= mapped;
  if (mapped > 0 && (vma.flags & VM.locked) !== 0) {
    mlockFolio(mem, folio);
    found.vmFlags |= VM.locked;
    return false;
  }
  const isUsed = young > 0 && (vma.flags & VM.seqRead) === 0;
  if (isUsed) clearFlag(mem, folio, PG.idle);
  if (testAndClearFlag(mem, folio, PG.young) || isUsed) {
    found.count++;
    found.vmFlags |= vma.flags;
  }
  return found.left > 0;
}

/** How many entries of the VMA map the folio, and in how many it was young. */
function testAndClearYoung(
  vm: Vm,
  vma: Vma,
  folio: Folio,
  offset: number,
): { mapped: number; young: number } {
  const pages = folioNrPages(vm.mem, folio);
  let mapped = 0;
  let young = 0;
  for (let at = 0; at < pages; at++) {
    const isWhole = at === 0 && pages === HUGE_PAGES;
    const huge = isWhole ? rmapHugeEntry(vma, offset) : NO_ENTRY;
    const entry = huge === NO_ENTRY ? rmapEntry(vma, offset + at) : huge;
    const seen = testEntry(vm, vma, folio + at, entry);
    mapped += seen.mapped;
    young += seen.young;
  }
  return { mapped, young };
}

const NOT_MAPPED = { mapped: 0, young: 0 };
const MAPPED_OLD = { mapped: 1, young: 0 };
const MAPPED_YOUNG = { mapped: 1, young: 1 };

/** Whether an entry maps the page, and was young; it is old then, unless mlock keeps the page. */
function testEntry(
  { tables }: Vm,
  vma: Vma,
  page: number,
  entry: number,
): { mapped: number; young: number } {
  const bits = entry === NO_ENTRY ? 0 : tables.bits(entry);
  if ((bits & PTE.present) === 0 || tables.pfn(entry) !== page) return NOT_MAPPED;
  if ((vma.flags & VM.locked) !== 0 || (bits & PTE.young) === 0) return MAPPED_OLD;
  tables.set(entry, page, bits & ~PTE.young);
  return MAPPED_YOUNG;
}
