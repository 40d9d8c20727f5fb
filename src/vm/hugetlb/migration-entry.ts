/**
 * Migration entries for hugetlb folios, which one entry maps in each process.
 *
 * The steps and rules are those of other folios (`../migration-entry.ts`); the trace prints them as
 * entries of order 9. Linux: the hugetlb half of `try_to_migrate_one()`, `remove_migration_pte()`.
 */
import { folioMapped } from "../../memory/folio.ts";
import { folioMaybeDmaPinned, folioPut } from "../../memory/folio-ref.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Steps } from "../../sched/blocking.ts";
import { comesBackExclusive, migrationBits, presentBits } from "../migration-bits.ts";
import type { Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE, PTE_MIGRATION } from "../pte.ts";
import { tracePte } from "../pte-trace.ts";
import { addRmapHuge, removeRmapHuge, rmapVmas } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { HUGETLB_ORDER } from "./hstate.ts";

/** Installs migration entries for the folio wherever it is mapped. */
export function* tryToMigrateHugetlb(vm: Vm, folio: Folio): Steps<void> {
  for (const vma of rmapVmas(vm, folio)) {
    yield "try-to-migrate-hugetlb";
    const vpn = vpnOf(vm, vma, folio);
    if (vpn === -1) continue;
    setMigrationEntry(vm, vma, folio, vpn);
    if (!folioMapped(vm.mem, folio)) return;
  }
}

function setMigrationEntry(vm: Vm, vma: Vma, folio: Folio, vpn: number): void {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.findHuge(vpn);
  if (entry === NO_ENTRY) return;
  const bits = tables.bits(entry);
  if ((bits & PTE.present) === 0 || tables.pfn(entry) !== (folio as number)) return;
  const isExclusive = folioTestAnon(mem, folio) && testFlag(mem, folio, PG.anonExclusive);
  if (isExclusive && folioMaybeDmaPinned(mem, folio)) {
    mem.events.refusals.refuse("still_mapped", mem.refcount[folio], 1);
    return;
  }
  if (isExclusive) clearFlag(mem, folio, PG.anonExclusive);
  if ((bits & PTE.dirty) !== 0) setFlag(mem, folio, PG.dirty);
  const kept = migrationBits(bits, isExclusive);
  tables.set(entry, folio, kept);
  const { trace } = mem.events;
  if (trace !== null) tracePte(trace, "set_migration_pte", vpn, folio, kept, HUGETLB_ORDER);
  removeRmapHuge(mem, folio, vma);
  folioPut(mem, folio);
}

/** Turns the entries that name `src` into mappings of `dst`, which may be `src` itself. */
export function* removeMigrationHugetlb(vm: Vm, src: Folio, dst: Folio): Steps<void> {
  for (const vma of rmapVmas(vm, dst)) {
    yield "remove-migration-hugetlb";
    const vpn = vpnOf(vm, vma, dst);
    if (vpn !== -1) removeMigrationEntry(vm, vma, src, dst, vpn);
  }
}

function removeMigrationEntry(vm: Vm, vma: Vma, src: Folio, dst: Folio, vpn: number): void {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.findHuge(vpn);
  if (entry === NO_ENTRY) return;
  const old = tables.bits(entry);
  if ((old & PTE_MIGRATION) === 0 || tables.pfn(entry) !== (src as number)) return;
  mem.refcount[dst]++;
  const bits = presentBits(mem, vma, dst, old);
  if (comesBackExclusive(mem, dst, old)) setFlag(mem, dst, PG.anonExclusive);
  addRmapHuge(mem, dst, vma);
  tables.set(entry, dst, bits);
  const { trace } = mem.events;
  if (trace !== null) tracePte(trace, "remove_migration_pte", vpn, dst, bits, HUGETLB_ORDER);
}

/** Where `vma` maps the folio, or -1. */
function vpnOf(vm: Vm, vma: Vma, folio: Folio): number {
  const vpn = vma.startVpn + (vm.mem.index[folio] - vma.pgoff);
  return vpn >= vma.startVpn && vpn < vma.endVpn ? vpn : -1;
}
