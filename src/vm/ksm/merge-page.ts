/**
 * Merging one page of a process into another page.
 *
 * Order of steps, under the lock of the page: its entry is write-protected, and then nobody else
 * may hold a reference, as a device could write without asking; the contents are compared; the
 * entry is replaced, if it is still what was write-protected. A write in between copies the page,
 * and the entry is no longer the same. The lock is only tried: KSM comes again.
 *
 * Large folios are left alone: Linux splits them first. Linux: `try_to_merge_one_page()`,
 * `write_protect_page()`, `replace_page()`, mm/ksm.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioTestLarge, pageFolio } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioMaybeDmaPinned, folioPut } from "../../memory/folio-ref.ts";
import { folioMarkAccessed } from "../../memory/lru-moves.ts";
import { folioTestAnon, MAPPING_KSM } from "../../memory/mapping-word.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Steps } from "../../sched/blocking.ts";
import { VM, type Vma } from "../mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "../mmu-notifier.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { addRmap, removeRmap } from "../rmap.ts";
import { flushTlbPage } from "../tlb.ts";
import type { Vm } from "../vm.ts";
import { pagesIdentical } from "./contents.ts";

/** The page has become part of, or was merged into, a merged page; or it stays what it is. */
export type MergeOutcome = "merged" | "EFAULT";

/**
 * Merges the page at `vpn` into `merged`; with null makes it the first of a merged page.
 *
 * The caller holds a reference of its own on each. Linux: `try_to_merge_one_page()`.
 */
export function* tryToMergeOnePage(
  vm: Vm,
  vma: Vma,
  vpn: number,
  page: Folio,
  merged: Folio | null,
): Steps<MergeOutcome> {
  const { mem } = vm;
  if (page === merged) return "merged";
  if (!folioTestAnon(mem, page) || folioTestLarge(mem, page)) return "EFAULT";
  if (!folioTrylock(mem, page)) return "EFAULT";
  invalidateRangeStart(vma.mm, vpn, vpn + 1);
  const outcome = yield* mergeLocked(vm, vma, vpn, page, merged);
  invalidateRangeEnd(vma.mm, vpn, vpn + 1);
  folioUnlock(mem, page);
  return outcome;
}

function* mergeLocked(
  vm: Vm,
  vma: Vma,
  vpn: number,
  page: Folio,
  merged: Folio | null,
): Steps<MergeOutcome> {
  const { mem } = vm;
  yield "ksm-write-protect";
  const protectedBits = writeProtectPage(vm, vma, vpn, page);
  if (protectedBits === null) return "EFAULT";
  if (merged === null) {
    mem.mapping[page] = MAPPING_KSM;
    folioMarkAccessed(mem, page);
    // Without a dirty entry reclaim would drop it as if it had never been written.
    setFlag(mem, page, PG.dirty);
    return "merged";
  }
  yield "ksm-compare";
  if (!pagesIdentical(mem, page, merged)) return "EFAULT";
  yield "ksm-replace";
  return replacePage(vm, vma, vpn, page, merged, protectedBits);
}

/** The entry's bits from now on; null where the page cannot be merged. */
function writeProtectPage(vm: Vm, vma: Vma, vpn: number, page: Folio): number | null {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.find(vpn);
  if (entry === NO_ENTRY) return null;
  const bits = tables.bits(entry);
  if ((bits & PTE.present) === 0 || tables.pfn(entry) !== (page as number)) return null;
  const isExclusive = testFlag(mem, page, PG.anonExclusive);
  if ((bits & (PTE.write | PTE.dirty)) === 0 && !isExclusive) return bits;
  // The mappings, the swap cache and we: with one reference more somebody may write, now or later.
  const holders = mem.mapcount[page] + 1 + (isSwapCached(mem.flags[page]) ? 1 : 0);
  if (mem.refcount[page] !== holders) return null;
  if (isExclusive) {
    if (folioMaybeDmaPinned(mem, page)) return null;
    clearFlag(mem, page, PG.anonExclusive);
  }
  if ((bits & PTE.dirty) !== 0) setFlag(mem, page, PG.dirty);
  const kept = bits & ~(PTE.write | PTE.dirty);
  tables.set(entry, page, kept);
  flushTlbPage(vm, vma.mm, vpn);
  return kept;
}

function isSwapCached(flags: number): boolean {
  return (flags & PG.swapbacked) !== 0 && (flags & PG.swapcache) !== 0;
}

function replacePage(
  vm: Vm,
  vma: Vma,
  vpn: number,
  page: Folio,
  merged: Folio,
  expectedBits: number,
): MergeOutcome {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.find(vpn);
  const isSame =
    entry !== NO_ENTRY &&
    tables.pfn(entry) === (page as number) &&
    tables.bits(entry) === expectedBits;
  if (!isSame) return "EFAULT";
  assert(!testFlag(mem, merged, PG.anonExclusive), "a merged page that is one process's:", merged);
  folioGet(mem, merged);
  addRmap(mem, merged, vma);
  const denied = (vma.flags & (VM.read | VM.write)) === 0 ? PTE.protNone : 0;
  tables.set(entry, merged, PTE.present | PTE.young | denied);
  flushTlbPage(vm, vma.mm, vpn);
  removeRmap(mem, page, vma);
  folioPut(mem, pageFolio(mem, page));
  return "merged";
}
