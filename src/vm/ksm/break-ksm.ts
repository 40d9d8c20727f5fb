/**
 * Taking merged pages apart again: each process gets a copy of its own.
 *
 * A page that is moving may be a merged one: it is waited for, not passed over. mremap takes apart
 * what it moves, as items name addresses. Linux: `break_ksm()`, `unmerge_ksm_pages()`, 6.1.
 */
import { pageFolio } from "../../memory/folio.ts";
import { folioTestKsm } from "../../memory/mapping-word.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { writeFault } from "../copy-on-write.ts";
import { migrationEntryWait } from "../migration-entry.ts";
import type { Mm, Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE, PTE_MIGRATION, PTE_NONE } from "../pte.ts";
import type { Vm } from "../vm.ts";

/** Gives the process a page of its own at `vpn`, if a merged one is there. */
export function* breakKsm(vm: Vm, mm: Mm, vpn: number): Blocking<"done" | "ENOMEM"> {
  const { mem, tables } = vm;
  for (;;) {
    yield "break-ksm";
    const vma = mm.vmaAt(vpn);
    const entry = mm.directory.find(vpn);
    const bits = entry === NO_ENTRY ? PTE_NONE : tables.bits(entry);
    if (vma === null || bits === PTE_NONE) return "done";
    if ((bits & PTE_MIGRATION) !== 0) {
      yield* migrationEntryWait(vm, entry);
      continue;
    }
    if ((bits & PTE.present) === 0 || (bits & PTE.special) !== 0) return "done";
    if (!folioTestKsm(mem, pageFolio(mem, mem.pfn(tables.pfn(entry))))) return "done";
    if ((yield* writeFault(vm, vma, vpn, entry)) === "SIGBUS") return "ENOMEM";
  }
}

/**
 * Takes the merged pages of a stretch of a VMA apart.
 *
 * What is known of the addresses stays: a scan may be about to use it, and finds out by itself.
 */
export function* unmergeKsmPages(
  vm: Vm,
  vma: Vma,
  startVpn: number,
  endVpn: number,
): Blocking<"done" | "ENOMEM"> {
  for (let vpn = startVpn; vpn < endVpn; vpn++) {
    if ((yield* breakKsm(vm, vma.mm, vpn)) === "ENOMEM") return "ENOMEM";
  }
  return "done";
}
