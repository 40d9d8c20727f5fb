/**
 * Copying private huge pages: for who writes to a shared one, and for a child at its fork.
 *
 * In Linux an owner whose copy cannot be made takes the page from its children, who then die of
 * their next use; here the owner's write ends in SIGBUS, as a child's does.
 * Linux: `hugetlb_wp()`, `copy_hugetlb_page_range()`, mm/hugetlb.c, 6.1.
 */

import { assert } from "../../base/assert.ts";
import { folioMapcount } from "../../memory/folio.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { MAPPING_ANON, mappingWord } from "../../memory/mapping-word.ts";
import { type Folio, type Pfn, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { VM, type Vma } from "../mm.ts";
import { hugeNode } from "../policy/policy-node.ts";
import { PTE } from "../pte.ts";
import { addRmapHuge, removeRmapHuge } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { allocHugetlbForVma, takeFree } from "./alloc-for-vma.ts";
import { hstateOf } from "./enable.ts";
import { clearHugetlbBit, HPG, setHugetlbBit } from "./folio-state.ts";
import { HUGETLB_PAGES } from "./hstate.ts";

/** Gives a new folio, with its one reference, to the empty entry of a private VMA. */
export function mapNewPrivate(vm: Vm, vma: Vma, vpn: number, folio: Folio, bits: number): void {
  const { mem } = vm;
  const { anonVma, mm } = vma;
  assert(anonVma !== null, "a private hugetlb VMA without anon_vma at", vpn);
  clearHugetlbBit(mem, folio, HPG.restoreReserve);
  mem.mapping[folio] = mappingWord(anonVma.id, MAPPING_ANON);
  mem.index[folio] = vma.pgoff + (vpn - vma.startVpn);
  setFlag(mem, folio, PG.uptodate);
  setFlag(mem, folio, PG.anonExclusive);
  addRmapHuge(mem, folio, vma);
  vm.tables.set(mm.directory.makeHuge(vpn), folio, bits | PTE.present | PTE.huge);
}

/** Makes the entry at `vpn` writable, of a private VMA with the fault mutex held. */
export function* hugetlbWriteFault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  entry: number,
): Blocking<"again" | "SIGBUS"> {
  const { mem, tables } = vm;
  const old = tables.pfn(entry) as Folio;
  const bits = tables.bits(entry);
  if (testFlag(mem, old, PG.anonExclusive) || folioMapcount(mem, old) === 1) {
    setFlag(mem, old, PG.anonExclusive);
    tables.set(entry, old, bits | PTE.write);
    return "again";
  }
  folioGet(mem, old);
  const copy = yield* allocHugetlbForVma(hstateOf(vm), null, "unpromised", hugeNode(mem, vma, vpn));
  if (copy === null) {
    folioPut(mem, old);
    return "SIGBUS";
  }
  yield "hugetlb-copying";
  copyPages(mem, copy, old);
  const now = vma.mm.directory.findHuge(vpn);
  const isSame = now === entry && tables.pfn(now) === (old as number) && tables.bits(now) === bits;
  if (isSame) {
    removeRmapHuge(mem, old, vma);
    folioPut(mem, old);
    mapNewPrivate(vm, vma, vpn, copy, PTE.write | PTE.young | PTE.softDirty);
    setHugetlbBit(mem, copy, HPG.migratable);
  } else {
    folioPut(mem, copy);
  }
  folioPut(mem, old);
  return "again";
}

/**
 * A child's own copy of a page that a device may be using, which stays the parent's. Out of the
 * free pages alone, as a fork does not sleep here; false if there is none.
 */
export function copyForChild(vm: Vm, child: Vma, vpn: number, folio: Folio): boolean {
  const { mem } = vm;
  const copy = takeFree(hstateOf(vm), "unpromised", hugeNode(mem, child, vpn));
  if (copy === null) return false;
  copyPages(mem, copy, folio);
  const write = (child.flags & VM.write) !== 0 ? PTE.write : 0;
  mapNewPrivate(vm, child, vpn, copy, write | PTE.young | PTE.softDirty);
  setHugetlbBit(mem, copy, HPG.migratable);
  child.mm.hugetlbPages += HUGETLB_PAGES;
  return true;
}

function copyPages(mem: Memory, copy: Folio, old: Folio): void {
  for (let at = 0; at < HUGETLB_PAGES; at++) mem.frames.copy((copy + at) as Pfn, (old + at) as Pfn);
}
