/**
 * Each processor's TLB: translations that it may go on using until it is told to forget them.
 *
 * A machine has none unless `vm.tlbs` is set: then what a process does is as if every entry were
 * looked up each time. With them a use that hits asks neither page tables nor VMAs. What takes
 * something away from an entry must flush it, before it looks at dirty or lets go of the page.
 *
 * Modelled: hits after a change that was not flushed, on any processor; that a write by a
 * translation that was loaded clean walks the tables again, as x86 does to set dirty; that young is
 * not set by hits. Not modelled: the time between the change of an entry and its flush but for
 * mprotect's (elsewhere both are one step, as the page table lock and the interrupts would have it
 * for everyone but the lockless), deferred flushes of reclaim, huge translations (each page is
 * cached for itself), eviction.
 * Linux: `flush_tlb_page()`, `flush_tlb_range()`, arch/x86/mm/tlb.c.
 */
import type { Pfn } from "../memory/memmap.ts";
import type { Mm } from "./mm.ts";
import { PTE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** What a processor remembers of an entry. */
interface Translation {
  readonly pfn: Pfn;
  /** Writable, and dirty already. */
  readonly mayWrite: boolean;
}

export class Tlbs {
  /** By processor, by process, by virtual page. */
  private readonly cpus: readonly Map<Mm, Map<number, Translation>>[];

  constructor(cpuCount: number) {
    this.cpus = Array.from({ length: cpuCount }, () => new Map());
  }

  /** The page that the processor would use without a look at the page tables, or null. */
  lookUp(cpu: number, mm: Mm, vpn: number, access: "read" | "write"): Pfn | null {
    const found = this.cpus[cpu].get(mm)?.get(vpn);
    if (found === undefined || (access === "write" && !found.mayWrite)) return null;
    return found.pfn;
  }

  /** The processor has walked the page tables; `bits` are those that the walk left there. */
  fill(cpu: number, mm: Mm, vpn: number, pfn: Pfn, bits: number): void {
    const wanted = PTE.write | PTE.dirty;
    let ofMm = this.cpus[cpu].get(mm);
    if (ofMm === undefined) {
      ofMm = new Map();
      this.cpus[cpu].set(mm, ofMm);
    }
    ofMm.set(vpn, { pfn, mayWrite: (bits & wanted) === wanted });
  }

  flush(mm: Mm, startVpn: number, endVpn: number): void {
    for (const cpu of this.cpus) {
      const ofMm = cpu.get(mm);
      for (let vpn = startVpn; vpn < endVpn; vpn++) ofMm?.delete(vpn);
    }
  }

  /** What a processor does that goes on with another process. */
  flushCpu(cpu: number): void {
    this.cpus[cpu].clear();
  }

  flushMm(mm: Mm): void {
    for (const cpu of this.cpus) cpu.delete(mm);
  }

  /** Every translation of every processor, for those who check them. */
  all(): { cpu: number; mm: Mm; vpn: number; translation: Translation }[] {
    return this.cpus.flatMap((mms, cpu) =>
      [...mms].flatMap(([mm, ofMm]) =>
        [...ofMm].map(([vpn, translation]) => ({ cpu, mm, vpn, translation })),
      ),
    );
  }
}

/** Every processor forgets a page of a process. Linux: `flush_tlb_page()`. */
export function flushTlbPage(vm: Vm, mm: Mm, vpn: number): void {
  if (vm.tlbs !== null) vm.tlbs.flush(mm, vpn, vpn + 1);
}

/** Linux: `flush_tlb_range()`. */
export function flushTlbRange(vm: Vm, mm: Mm, startVpn: number, endVpn: number): void {
  if (vm.tlbs !== null) vm.tlbs.flush(mm, startVpn, endVpn);
}

/** Every processor forgets a process. Linux: `flush_tlb_mm()`. */
export function flushTlbMm(vm: Vm, mm: Mm): void {
  if (vm.tlbs !== null) vm.tlbs.flushMm(mm);
}
