/**
 * Migration entries for a folio that is mapped whole: one for its 512 pages.
 *
 * The steps are those of a single entry (`migration-entry.ts`) and so are the rules; what counts
 * once for a page there counts once for the folio here. Callers hold the folio's lock from before
 * the entry is set until after it is gone. A dirty entry sets the folio's flag and nothing else,
 * which among files is right for shmem alone (`split-pmd.ts`).
 * Linux: `set_pmd_migration_entry()`, `remove_migration_pmd()`, mm/huge_memory.c, 6.1.
 */
import { folioMaybeDmaPinned, folioPut } from "../../memory/folio-ref.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { mlockDrain } from "../../memory/mlock.ts";
import { PG } from "../../memory/page-flags.ts";
import { comesBackExclusive, migrationBits, presentBits } from "../migration-bits.ts";
import { VM, type Vma } from "../mm.ts";
import { HUGE_PAGES, NO_ENTRY } from "../page-tables.ts";
import { PTE, PTE_MIGRATION } from "../pte.ts";
import { tracePmd } from "../pte-trace.ts";
import { addRmapHuge, removeRmapHuge, rmapHugeEntry } from "../rmap.ts";
import { flushTlbRange } from "../tlb.ts";
import type { Vm } from "../vm.ts";

/** "absent": no huge entry maps the folio there. "pinned": one does, and it stays as it is. */
export type SetPmdOutcome = "set" | "absent" | "pinned";

/** Replaces the huge entry by which the VMA maps the folio by a migration entry. */
export function setMigrationPmd(vm: Vm, vma: Vma, folio: Folio): SetPmdOutcome {
  const { mem, tables } = vm;
  const entry = rmapHugeEntry(vma, mem.index[folio]);
  if (entry === NO_ENTRY) return "absent";
  const bits = tables.bits(entry);
  if ((bits & PTE.present) === 0 || tables.pfn(entry) !== (folio as number)) return "absent";
  const isExclusive = folioTestAnon(mem, folio) && testFlag(mem, folio, PG.anonExclusive);
  if (isExclusive && folioMaybeDmaPinned(mem, folio)) {
    mem.events.refusals.refuse("still_mapped", mem.refcount[folio], 1);
    return "pinned";
  }
  if (isExclusive) clearFlag(mem, folio, PG.anonExclusive);
  if ((bits & PTE.dirty) !== 0) setFlag(mem, folio, PG.dirty);
  const kept = migrationBits(bits, isExclusive);
  tables.set(entry, folio, kept);
  const vpn = vpnOf(mem, vma, folio);
  flushTlbRange(vm, vma.mm, vpn, vpn + HUGE_PAGES);
  removeRmapHuge(mem, folio, vma);
  if ((vma.flags & VM.locked) !== 0) mlockDrain(mem);
  folioPut(mem, folio);
  const { trace } = mem.events;
  if (trace !== null) tracePmd(trace, "set_migration_pmd", vpn, folio, kept);
  return "set";
}

/** Turns the huge entry that names `src`, if the VMA has one, into a mapping of `dst`. */
export function removeMigrationPmd(vm: Vm, vma: Vma, src: Folio, dst: Folio): boolean {
  const { mem, tables } = vm;
  const entry = rmapHugeEntry(vma, mem.index[dst]);
  if (entry === NO_ENTRY) return false;
  const old = tables.bits(entry);
  if ((old & PTE_MIGRATION) === 0 || tables.pfn(entry) !== (src as number)) return false;
  mem.refcount[dst]++;
  const bits = presentBits(mem, vma, dst, old);
  if (comesBackExclusive(mem, dst, old)) setFlag(mem, dst, PG.anonExclusive);
  addRmapHuge(mem, dst, vma);
  tables.set(entry, dst, bits);
  if ((vma.flags & VM.locked) !== 0) mlockDrain(mem);
  const { trace } = mem.events;
  if (trace !== null) tracePmd(trace, "remove_migration_pmd", vpnOf(mem, vma, dst), dst, bits);
  return true;
}

/** Where the VMA maps the folio. */
function vpnOf(mem: Memory, vma: Vma, folio: Folio): number {
  return vma.startVpn + (mem.index[folio] - vma.pgoff);
}
