/**
 * What an entry says before, during and after a move, for entries of either size.
 *
 * A migration entry keeps what must survive: whether the page could be written or was exclusive,
 * and young, dirty, soft-dirty and uffd-wp. What comes back is judged anew by the VMA as it is
 * then. Linux: the middle of `try_to_migrate_one()` and of `remove_migration_pte()`.
 */
import { folioTestAnon } from "../memory/mapping-word.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { VM, type Vma } from "./mm.ts";
import { PTE } from "./pte.ts";

const KEPT_BITS = PTE.young | PTE.dirty | PTE.softDirty | PTE.uffdWp | PTE.huge;

/** Bits of the migration entry for a present one. */
export function migrationBits(bits: number, isExclusive: boolean): number {
  return migrationKind(bits, isExclusive) | (bits & KEPT_BITS);
}

function migrationKind(bits: number, isExclusive: boolean): number {
  if ((bits & PTE.write) !== 0) return PTE.migrationWrite;
  return isExclusive ? PTE.migrationReadExclusive : PTE.migrationRead;
}

/** Bits of the present entry for a migration entry, once `folio` has its state. */
export function presentBits(mem: Memory, vma: Vma, folio: Folio, old: number): number {
  let bits = PTE.present | (old & (PTE.softDirty | PTE.young | PTE.huge));
  if ((old & PTE.dirty) !== 0 && testFlag(mem, folio, PG.dirty)) bits |= PTE.dirty;
  const mayWrite = (vma.flags & VM.write) !== 0;
  if ((old & PTE.migrationWrite) !== 0 && mayWrite) bits |= PTE.write;
  else if ((old & PTE.uffdWp) !== 0) bits |= PTE.uffdWp;
  if ((vma.flags & VM.read) === 0) bits |= PTE.protNone;
  return bits;
}

/** Whether the page that comes back is the process's alone, as it was. */
export function comesBackExclusive(mem: Memory, folio: Folio, old: number): boolean {
  return folioTestAnon(mem, folio) && (old & PTE.migrationRead) === 0;
}
