/**
 * The zero page: what a process reads where it has never written.
 *
 * One page of the machine, mapped by every such entry and counted by none: the entry is special, it
 * holds no reference and no mapcount. A write takes a page of its own. Reserved, so that it is
 * never given back. Linux: `ZERO_PAGE()`, `do_anonymous_page()`.
 */
import { MIGRATE } from "../memory/constants.ts";
import type { Pfn } from "../memory/memmap.ts";
import { allocPages } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { PTE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** Maps the zero page for reading; false without memory for it, on its first use. */
export function mapZeroPage(vm: Vm, entry: number): boolean {
  const page = zeroPage(vm);
  if (page === null) return false;
  vm.tables.set(entry, page, PTE.present | PTE.young | PTE.special);
  return true;
}

/** The zero page, made on its first use; null without memory for it. */
export function zeroPage(vm: Vm): Pfn | null {
  const { mem } = vm;
  if (vm.zeroPage !== null) return vm.zeroPage;
  const page = allocPages(mem, {
    order: 0,
    migratetype: MIGRATE.unmovable,
    node: 0,
    highestZone: "Normal",
  });
  if (page === -1) return null;
  mem.frames.clear(page);
  mem.flags[page] |= PG.reserved;
  vm.zeroPage = page;
  return page;
}
