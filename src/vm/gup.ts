/**
 * Pinning a process's page for a device, by the fast way first.
 *
 * The fast way holds no lock: it reads the entry, takes the pin, and reads the entry again; if the
 * page was moved or unmapped in between it lets go and starts over. A migration entry is waited
 * for. Callers give the pin back with `folioUnpin`. Linux: mm/gup.c, `pin_user_pages_fast()`.
 */
import { pageFolio } from "../memory/folio.ts";
import { folioTryPin, folioUnpin } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Blocking } from "../sched/blocking.ts";
import { type FaultError, userPage } from "./fault.ts";
import type { Mm } from "./mm.ts";
import { entryPfn, NO_ENTRY } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** What the device may write to; a page that processes share gets its copy first. */
const WRITABLE = PTE.present | PTE.write;

/** Pins the page at `vpn`, faulting it in for writing: the device may. */
export function* pinUserPage(vm: Vm, mm: Mm, vpn: number): Blocking<Folio | FaultError> {
  const { mem, tables } = vm;
  for (;;) {
    const entry = mm.directory.lookUp(vpn);
    const bits = entry === NO_ENTRY ? 0 : tables.bits(entry);
    if ((bits & (WRITABLE | PTE.special)) !== WRITABLE) {
      const page = yield* userPage(vm, mm, vpn, "write");
      if (typeof page === "string") return page;
      continue;
    }
    const page = mem.pfn(entryPfn(tables, entry, vpn));
    const folio = pageFolio(mem, page);
    yield "gup-fast-entry-read";
    if (!folioTryPin(mem, folio)) continue;
    yield "gup-fast-pinned";
    const unchanged = mm.directory.lookUp(vpn) === entry && tables.bits(entry) === bits;
    if (unchanged && entryPfn(tables, entry, vpn) === (page as number)) return folio;
    folioUnpin(mem, folio);
  }
}
