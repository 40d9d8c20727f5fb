/**
 * swapoff: everything that an area holds comes back, and the area is gone.
 *
 * First nothing new may go there. Then each entry that names a slot of it is treated as a read of
 * its process would be, but leaves the page old, as nobody used it; then shmem takes back what is
 * its; then each folio that stands for a slot gives it up, once it is written. Others may fork,
 * exit and fault meanwhile: rounds go on until no slot is in use. Without memory, or where the
 * device lost a page, the area is opened again. Linux: `swapoff(2)`, `try_to_unuse()`,
 * mm/swapfile.c, 6.1.
 */
import { folioLock, folioUnlock, folioWaitWriteback } from "../../memory/folio-lock.ts";
import { folioPut, folioTryGet } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import type { Vm } from "../vm.ts";
import type { Swap } from "./swap.ts";
import type { SwapArea } from "./swap-area.ts";
import { folioFreeSwap } from "./swap-cache.ts";
import { type SwapEntry, swapAreaOf } from "./swap-entry.ts";
import { swapFault } from "./swap-in.ts";

export function* swapOff(vm: Vm, swap: Swap, area: SwapArea): Blocking<"done" | "ENOMEM"> {
  swap.makeUnavailable(area);
  while (area.slotsInUse > 0) {
    yield "swapoff-round";
    for (const mm of vm.mms) {
      if (mm === undefined || mm.swapEntries === 0) continue;
      for (const vma of [...mm.vmas]) {
        if (yield* unuseVma(vm, swap, area, vma)) continue;
        swap.makeAvailable(area);
        return "ENOMEM";
      }
    }
    const { shmem } = vm;
    if (shmem !== null && (yield* shmem.unuse(area)) === "ENOMEM") {
      swap.makeAvailable(area);
      return "ENOMEM";
    }
    yield* emptyCache(swap, area);
  }
  swap.areas[area.id] = null;
  return "done";
}

/** False where a page could not be brought back. Linux: `unuse_vma()`. */
function* unuseVma(vm: Vm, swap: Swap, area: SwapArea, vma: Vma): Blocking<boolean> {
  const { mm } = vma;
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    while (mm.vmaAt(vpn) === vma && namesArea(vm, area, mm.directory.find(vpn))) {
      const outcome = yield* swapFault(vm, swap, vma, vpn, "read");
      if (outcome === "SIGBUS") return false;
      if (outcome === "done") makeOld(vm, mm.directory.find(vpn));
    }
  }
  return true;
}

function namesArea({ tables }: Vm, area: SwapArea, entry: number): boolean {
  if (entry === NO_ENTRY || (tables.bits(entry) & PTE.swap) === 0) return false;
  return swapAreaOf(tables.pfn(entry) as SwapEntry) === area.id;
}

function makeOld({ tables }: Vm, entry: number): void {
  tables.set(entry, tables.pfn(entry), tables.bits(entry) & ~PTE.young);
}

/** Folios whose slots no entry names any more. */
function* emptyCache(swap: Swap, area: SwapArea): Blocking<void> {
  const { mem, mapping } = swap;
  const folios = new Set<Folio>();
  mapping.folios.forEach((entry, folio) => {
    if (swapAreaOf(entry as SwapEntry) === area.id) folios.add(folio);
  });
  for (const folio of folios) {
    if (!folioTryGet(mem, folio)) continue;
    yield* folioLock(mem, folio);
    yield* folioWaitWriteback(mem, folio);
    folioFreeSwap(swap, folio);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}
