/**
 * A second way to a process's memory: a guest's, or a device's, with page tables of its own.
 *
 * It maps what it has looked up and holds no reference to it; a listener's call takes it away. What
 * is looked up while entries change, or between two changes, is looked up again. Linux: KVM's
 * `kvm_faultin_pfn()` and `mmu_invalidate_retry()`.
 */
import { pageFolio } from "../memory/folio.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { Blocking } from "../sched/blocking.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { type FaultError, faultInPage } from "./fault.ts";
import type { Mm } from "./mm.ts";
import { type MmuNotifierOps, mmuNotifierRegister, mmuNotifierUnregister } from "./mmu-notifier.ts";
import type { Vm } from "./vm.ts";

export class SecondaryMmu implements MmuNotifierOps {
  /** By virtual page. */
  readonly pages: Map<number, Pfn> = new Map();
  private readonly vm: Vm;
  private readonly mm: Mm;
  private readonly changes: WaitQueue = new WaitQueue("the end of an invalidation");
  private changing = 0;
  private sequence = 0;

  constructor(vm: Vm, mm: Mm) {
    this.vm = vm;
    this.mm = mm;
    mmuNotifierRegister(mm, this);
  }

  invalidateRangeStart(startVpn: number, endVpn: number): void {
    this.changing++;
    for (const vpn of this.pages.keys()) {
      if (startVpn <= vpn && vpn < endVpn) this.pages.delete(vpn);
    }
  }

  invalidateRangeEnd(): void {
    this.sequence++;
    this.changing--;
    if (this.changing === 0) this.changes.wakeAll();
  }

  /** Writes one 4-byte word of a page. */
  *write(vpn: number, word: number, value: number): Blocking<FaultError | "done"> {
    const page = yield* this.page(vpn);
    if (typeof page === "string") return page;
    this.vm.mem.frames.writeWord(page, word, value);
    return "done";
  }

  /** The page behind a virtual page, looked up if need be. Valid until the caller is preempted. */
  *page(vpn: number): Blocking<Pfn | FaultError> {
    const { mem } = this.vm;
    for (;;) {
      yield "secondary-access";
      const mapped = this.pages.get(vpn);
      if (mapped !== undefined) return mapped;
      while (this.changing > 0) yield this.changes;
      const { sequence } = this;
      const page = yield* faultInPage(this.vm, this.mm, vpn, "write");
      if (typeof page === "string") return page;
      const folio = pageFolio(mem, page);
      folioGet(mem, folio);
      yield "secondary-page-found";
      if (this.changing === 0 && sequence === this.sequence) this.pages.set(vpn, page);
      folioPut(mem, folio);
    }
  }

  /** Lets go of the process. */
  close(): void {
    mmuNotifierUnregister(this.mm, this);
    this.pages.clear();
  }
}
