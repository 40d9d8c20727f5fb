/**
 * What must hold of those who use memory without a look at the page tables: TLBs, secondary MMUs.
 */
import type { Mm } from "../vm/mm.ts";
import { entryPfn, NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import { SecondaryMmu } from "../vm/secondary-mmu.ts";
import type { Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

export const TRANSLATION_INVARIANTS: readonly Invariant[] = [
  { name: "who remembers an entry remembers it as it is", check: checkTranslations },
];

/** Less may be remembered than the entry allows, never more, and never another page. */
function checkTranslations(machine: Machine): string | null {
  const { vm } = machine;
  for (const { cpu, mm, vpn, translation } of vm.tlbs?.all() ?? []) {
    const wrong = translationFault(machine, mm, vpn, translation);
    if (wrong !== null) return `TLB of processor ${cpu}, ${mm.name} page ${vpn}: ${wrong}`;
  }
  for (const mm of vm.mms) {
    for (const ops of mm?.notifiers ?? []) {
      if (mm === undefined || !(ops instanceof SecondaryMmu)) continue;
      for (const [vpn, pfn] of ops.pages) {
        const wrong = translationFault(machine, mm, vpn, { pfn, mayWrite: true });
        if (wrong !== null) return `secondary MMU of ${mm.name}, page ${vpn}: ${wrong}`;
      }
    }
  }
  return null;
}

function translationFault(
  { vm }: Machine,
  mm: Mm,
  vpn: number,
  { pfn, mayWrite }: { pfn: number; mayWrite: boolean },
): string | null {
  const entry = mm.directory.lookUp(vpn);
  const bits = entry === NO_ENTRY ? 0 : vm.tables.bits(entry);
  if ((bits & PTE.present) === 0) return `nothing is mapped, remembered ${pfn}`;
  const mapped = entryPfn(vm.tables, entry, vpn);
  if (mapped !== pfn) return `${mapped} is mapped, remembered ${pfn}`;
  if (mayWrite && (bits & PTE.write) === 0) return "remembered as writable";
  // Who may write without a look at the entry does not say that it did.
  if (mayWrite && (bits & PTE.dirty) === 0) return "remembered as dirty";
  return null;
}
