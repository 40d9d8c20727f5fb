/**
 * Migration entries: a folio is taken out of every page table, moved, and put back.
 *
 * `tryToMigrate` replaces each entry that maps the folio by one that names it and keeps what must
 * survive; from then on a user of the page waits for the folio's lock. `removeMigrationPtes` turns
 * the entries into mappings of the new folio, or of the same one if the move failed.
 *
 * Per entry, under the page table lock: clear and flush, harvest dirty, keep write, exclusive,
 * young, dirty, soft-dirty and uffd-wp, then mapcount down and reference put. The entries of one
 * folio in one page table are one step, as the lock is kept between them. Callers hold the
 * folio's lock from before the first entry is set until after the last is removed, and must look
 * at `folioMapped` themselves: success is nothing else. Linux: mm/rmap.c, mm/migrate.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioMapped, folioNrPages, folioOrder, pageFolio } from "../memory/folio.ts";
import { folioWaitUnlock } from "../memory/folio-lock.ts";
import { folioMaybeDmaPinned, folioPut } from "../memory/folio-ref.ts";
import { folioTestAnon, folioTestKsm } from "../memory/mapping-word.ts";
import { clearFlag, type Folio, type Pfn, setFlag, testFlag } from "../memory/memmap.ts";
import { mlockDrain } from "../memory/mlock.ts";
import { PG } from "../memory/page-flags.ts";
import { folioMarkDirty } from "../pagecache/mark-dirty.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { removeMigrationPmd, setMigrationPmd } from "./huge/migration-pmd.ts";
import { ksmMappings } from "./ksm/ksm-mappings.ts";
import { comesBackExclusive, migrationBits, presentBits } from "./migration-bits.ts";
import { VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { HUGE_PAGES, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_MIGRATION } from "./pte.ts";
import { tracePte } from "./pte-trace.ts";
import { addRmap, nextMappedOffset, removeRmap, rmapEntry, rmapVmas } from "./rmap.ts";
import { flushTlbPage } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** Installs migration entries for the folio wherever it is mapped. Linux: `try_to_migrate()`. */
export function* tryToMigrate(vm: Vm, folio: Folio): Steps<void> {
  const { mem } = vm;
  const pages = folioNrPages(mem, folio);
  const offset = mem.index[folio];
  if (folioTestKsm(mem, folio)) {
    yield* tryToMigrateMerged(vm, folio);
    return;
  }
  const skipsStacks = folioTestAnon(mem, folio);
  for (const vma of rmapVmas(vm, folio)) {
    if (skipsStacks && (vma.flags & VM.incompleteStack) !== 0) continue;
    const startVpn = vma.startVpn + (offset - vma.pgoff);
    if (startVpn >= vma.endVpn || startVpn + pages <= vma.startVpn) continue;
    invalidateRangeStart(vma.mm, startVpn, startVpn + pages);
    yield "try-to-migrate-entry";
    for (let at = 0; at < pages; at++) {
      if (at > 0 && (startVpn + at) % HUGE_PAGES === 0) yield "try-to-migrate-entry";
      if (pages > 1) at = nextMapped(vm, vma, offset, at, pages);
      if (at === pages) break;
      const entry = rmapEntry(vma, offset + at);
      if (entry === NO_ENTRY) {
        if (at > 0 || pages !== HUGE_PAGES) continue;
        if (setMigrationPmd(vm, vma, folio) === "absent") continue;
        break;
      }
      if (!(yield* setMigrationEntry(vm, vma, startVpn + at, (folio + at) as Pfn, entry))) break;
    }
    invalidateRangeEnd(vma.mm, startVpn, startVpn + pages);
    if (!folioMapped(mem, folio)) return;
  }
}

/** The next page of a large folio, from `at` on, where the VMA has an entry; `pages` if none. */
function nextMapped(vm: Vm, vma: Vma, offset: number, at: number, pages: number): number {
  return nextMappedOffset(vm.tables, vma, offset + at, offset + pages) - offset;
}

/** A page that KSM has merged: its addresses come from elsewhere. Linux: `rmap_walk_ksm()`. */
function* tryToMigrateMerged(vm: Vm, folio: Folio): Steps<void> {
  for (const { vma, vpn } of ksmMappings(vm, folio)) {
    yield "try-to-migrate-entry";
    const entry = vma.mm.directory.find(vpn);
    if (entry === NO_ENTRY) continue;
    invalidateRangeStart(vma.mm, vpn, vpn + 1);
    yield* setMigrationEntry(vm, vma, vpn, folio, entry);
    invalidateRangeEnd(vma.mm, vpn, vpn + 1);
    if (!folioMapped(vm.mem, folio)) return;
  }
}

/** Replaces one entry if it maps `page`. False ends the walk of this VMA. */
function* setMigrationEntry(
  vm: Vm,
  vma: Vma,
  vpn: number,
  page: Pfn,
  entry: number,
): Steps<boolean> {
  const { mem, tables } = vm;
  const bits = tables.bits(entry);
  if ((bits & PTE.present) === 0 || tables.pfn(entry) !== (page as number)) return true;
  const folio = pageFolio(mem, page);
  const isAnon = folioTestAnon(mem, folio);
  const isExclusive = isAnon && testFlag(mem, page, PG.anonExclusive);
  if (isExclusive && folioMaybeDmaPinned(mem, folio)) {
    mem.events.refusals.refuse("still_mapped", mem.refcount[folio], 1);
    return false;
  }
  if (isExclusive) clearFlag(mem, page, PG.anonExclusive);
  const kept = migrationBits(bits, isExclusive);
  tables.set(entry, page, kept);
  flushTlbPage(vm, vma.mm, vpn);
  if ((bits & PTE.dirty) !== 0) {
    if (isAnon) setFlag(mem, folio, PG.dirty);
    else yield* folioMarkDirty(mem, vm.cache.folioMapping(folio), folio);
  }
  if (mem.events.trace !== null) {
    tracePte(mem.events.trace, "set_migration_pte", vpn, page, kept, folioOrder(mem, folio));
  }
  removeRmap(mem, page, vma);
  if ((vma.flags & VM.locked) !== 0) mlockDrain(mem);
  folioPut(mem, folio);
  return true;
}

/**
 * Turns the entries that name `src` into mappings of `dst`.
 *
 * `dst` has its mapping and index by now; `src` itself is passed to undo. Permissions are taken
 * from the VMA as it is now, never copied. Linux: `remove_migration_ptes()`.
 */
export function* removeMigrationPtes(vm: Vm, src: Folio, dst: Folio): Steps<void> {
  const { mem } = vm;
  const pages = folioNrPages(mem, dst);
  const offset = mem.index[dst];
  if (folioTestKsm(mem, dst)) {
    for (const { vma, vpn } of ksmMappings(vm, dst)) {
      yield "remove-migration-entry";
      const entry = vma.mm.directory.find(vpn);
      if (entry !== NO_ENTRY) removeMigrationEntry(vm, vma, vpn, src, dst, entry);
    }
    return;
  }
  for (const vma of rmapVmas(vm, dst)) {
    const startVpn = vma.startVpn + (offset - vma.pgoff);
    if (startVpn >= vma.endVpn || startVpn + pages <= vma.startVpn) continue;
    yield "remove-migration-entry";
    for (let at = 0; at < pages; at++) {
      if (at > 0 && (startVpn + at) % HUGE_PAGES === 0) yield "remove-migration-entry";
      if (pages > 1) at = nextMapped(vm, vma, offset, at, pages);
      if (at === pages) break;
      const entry = rmapEntry(vma, offset + at);
      if (entry === NO_ENTRY) {
        if (at > 0 || pages !== HUGE_PAGES) continue;
        if (removeMigrationPmd(vm, vma, src, dst)) break;
        continue;
      }
      const vpn = startVpn + at;
      removeMigrationEntry(vm, vma, vpn, (src + at) as Pfn, (dst + at) as Pfn, entry);
    }
  }
}

function removeMigrationEntry(
  vm: Vm,
  vma: Vma,
  vpn: number,
  src: Pfn,
  dst: Pfn,
  entry: number,
): void {
  const { mem, tables } = vm;
  const old = tables.bits(entry);
  if ((old & PTE_MIGRATION) === 0 || tables.pfn(entry) !== (src as number)) return;
  const folio = pageFolio(mem, dst);
  mem.refcount[folio]++;
  const bits = presentBits(mem, vma, folio, old);
  if (comesBackExclusive(mem, folio, old)) setFlag(mem, dst, PG.anonExclusive);
  addRmap(mem, dst, vma);
  tables.set(entry, dst, bits);
  if ((vma.flags & VM.locked) !== 0) mlockDrain(mem);
  if (mem.events.trace !== null) {
    // The page's own order is printed here: 0 for all but the first of a folio.
    const order = dst === (folio as Pfn) ? folioOrder(mem, folio) : 0;
    tracePte(mem.events.trace, "remove_migration_pte", vpn, dst, bits, order);
  }
}

/**
 * Sleeps until the move that left this entry is over; the caller then looks again.
 *
 * Takes no reference: the entry itself proves that the source is still there, and locked.
 * Linux: `migration_entry_wait()`.
 */
export function* migrationEntryWait(vm: Vm, entry: number): Blocking<void> {
  const { mem, tables } = vm;
  assert((tables.bits(entry) & PTE_MIGRATION) !== 0, "no migration entry to wait for:", entry);
  const folio = pageFolio(mem, mem.pfn(tables.pfn(entry)));
  assert(testFlag(mem, folio, PG.locked), "a migration entry of an unlocked folio:", folio);
  yield* folioWaitUnlock(mem, folio);
}
