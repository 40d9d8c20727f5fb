/**
 * What goes along with a folio: its state, then its bytes.
 *
 * State and bytes are apart because an owner with a copy engine of its own takes the state alone
 * (mode "sync-no-copy"). The order of the flags is the kernel's: some bits have two meanings and
 * must be read before, or set after, another. Not copied: locked, lru, waiters, writeback, private
 * (the owner's callback moves it), mlocked (the page tables rebuild it), hwpoison, reserved.
 *
 * Both folios are locked and `dst` has the mapping by now. Linux: `folio_migrate_flags()`,
 * `folio_migrate_copy()`, 6.1.
 */
import { folioNrPages } from "../memory/folio.ts";
import { folioClearWriteback } from "../memory/folio-lock.ts";
import { folioTestKsm, MAPPING_KSM, mappingId } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { migrateLastCpupid, migrateOwnerAndCharge } from "./page-ext.ts";

/** Flags that `dst` gets and `src` keeps. `dirty` is left on an anonymous source. */
const COPIED_FLAGS =
  PG.error |
  PG.referenced |
  PG.uptodate |
  PG.workingset |
  PG.checked |
  PG.mappedToDisk |
  PG.dirty |
  PG.young |
  PG.idle;

/** Copies the bytes of every page, then the state. */
export function folioMigrateCopy(mem: Memory, dst: Folio, src: Folio): void {
  const pages = folioNrPages(mem, src);
  for (let at = 0; at < pages; at++) mem.frames.copy((dst + at) as Pfn, (src + at) as Pfn);
  folioMigrateFlags(mem, dst, src);
}

/** Copies the state alone. */
export function folioMigrateFlags(mem: Memory, dst: Folio, src: Folio): void {
  const { flags } = mem;
  const old = flags[src];
  let taken = old & COPIED_FLAGS;
  let cleared: number = PG.private;
  if ((old & PG.active) !== 0) {
    taken |= PG.active;
    cleared |= PG.active;
  } else if ((old & PG.unevictable) !== 0) {
    taken |= PG.unevictable;
    cleared |= PG.unevictable;
  }
  if (mem.pageExt !== null) migrateLastCpupid(mem, mem.pageExt, dst, src);
  if (folioTestKsm(mem, src)) migrateKsm(mem, dst, src);
  if ((old & PG.swapbacked) !== 0) cleared |= PG.swapcache;
  flags[dst] |= taken;
  flags[src] = old & ~cleared;
  if ((old & PG.hugetlb) === 0) mem.private[src] = 0;
  // A writeback that never ended would clear the alias of readahead: so it comes before.
  if ((flags[dst] & PG.writeback) !== 0) folioClearWriteback(mem, dst);
  flags[dst] |= old & PG.readahead;
  if (mem.pageExt !== null) migrateOwnerAndCharge(mem, mem.pageExt, dst, src);
}

/** The node of a merged page follows it; whoever reads the old frame there finds no node. */
function migrateKsm(mem: Memory, dst: Folio, src: Folio): void {
  const word = mem.mapping[src];
  if (word !== MAPPING_KSM) mem.ksmFolios[mappingId(word)] = dst;
  mem.mapping[src] = MAPPING_KSM;
}
