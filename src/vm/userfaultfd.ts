/**
 * userfaultfd: faults of a process that another one serves.
 *
 * In a registered stretch a use of an empty entry ("missing"), or a write to an entry that is
 * write-protected for this ("wp"), becomes a message; who made it sleeps until it is woken, and
 * then looks anew. The wp mark is the entry's own: it goes along with a page that moves and with
 * one on swap. Anonymous memory alone, as 6.1 has it without options; a fork and an mremap leave
 * the registration behind. Linux: fs/userfaultfd.c, mm/userfaultfd.c, 6.1.
 */
import type { Errno } from "../base/errno.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE } from "../memory/gfp.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { Blocking } from "../sched/blocking.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { mapNewAnonymous } from "./copy-on-write.ts";
import { splitHugePmd } from "./huge/split-pmd.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { allocVmaFolio } from "./policy/policy-node.ts";
import { PTE, PTE_MIGRATION, PTE_NONE } from "./pte.ts";
import { flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** Linux: `struct uffd_msg`. */
export interface UffdMessage {
  readonly kind: "missing" | "wp";
  readonly vpn: number;
  readonly access: "read" | "write";
}

/** Both ways to be registered. Linux: __VM_UFFD_FLAGS. */
const UFFD_FLAGS: number = VM.uffdMissing | VM.uffdWp;

export class Userfaultfd {
  private readonly vm: Vm;
  private readonly mm: Mm;
  private readonly messages: UffdMessage[] = [];
  private readonly readers: WaitQueue = new WaitQueue("a message of userfaultfd");
  private readonly faulted: WaitQueue = new WaitQueue("an answer of userfaultfd");

  constructor(vm: Vm, mm: Mm) {
    this.vm = vm;
    this.mm = mm;
  }

  /** `modes`: `VM.uffdMissing`, `VM.uffdWp` or both. Linux: UFFDIO_REGISTER. */
  register(startVpn: number, endVpn: number, modes: number): "done" | Errno {
    const touched = this.mm.vmas.filter((vma) => vma.endVpn > startVpn && vma.startVpn < endVpn);
    if (modes === 0 || touched.length === 0) return "EINVAL";
    if (!touched.every(isPlainAnonymous)) return "EINVAL";
    if (touched.some(({ userfaultfd: other }) => other !== null && other !== this)) return "EBUSY";
    for (const vma of this.vm.isolateVmas(this.mm, startVpn, endVpn)) {
      vma.userfaultfd = this;
      vma.flags = (vma.flags & ~UFFD_FLAGS) | modes;
    }
    return "done";
  }

  /** Linux: UFFDIO_UNREGISTER. */
  unregister(startVpn: number, endVpn: number): void {
    for (const vma of this.vm.isolateVmas(this.mm, startVpn, endVpn)) {
      if (vma.userfaultfd !== this) continue;
      if ((vma.flags & VM.uffdWp) !== 0) changeWp(this.vm, vma, clearWp);
      vma.userfaultfd = null;
      vma.flags &= ~UFFD_FLAGS;
    }
    this.wake();
  }

  /** The next message; sleeps while there is none. Linux: `userfaultfd_read()`. */
  *read(): Blocking<UffdMessage> {
    for (;;) {
      const message = this.messages.shift();
      if (message !== undefined) return message;
      yield this.readers;
    }
  }

  /** Linux: UFFDIO_WRITEPROTECT. */
  writeProtect(startVpn: number, endVpn: number): "done" | Errno {
    return this.changeRange(startVpn, endVpn, setWp);
  }

  /** Takes the protection back, and wakes who waits. Linux: UFFDIO_WRITEPROTECT with mode 0. */
  allowWrites(startVpn: number, endVpn: number): "done" | Errno {
    const outcome = this.changeRange(startVpn, endVpn, clearWp);
    if (outcome === "done") this.wake();
    return outcome;
  }

  /** Puts a page that `fill` writes where none is, and wakes who waits. Linux: UFFDIO_COPY. */
  *copy(vpn: number, fill: (page: Pfn) => void): Blocking<"done" | Errno> {
    const { vm, mm } = this;
    const vma = mm.vmaAt(vpn);
    if (vma === null || vma.userfaultfd !== this) return "ENOENT";
    const folio = yield* allocVmaFolio(vm.mem, vma, vpn, 0, GFP_HIGHUSER_MOVABLE);
    if (folio === null) return "ENOMEM";
    const isFree = mm.vmaAt(vpn) === vma && mm.directory.findHuge(vpn) === NO_ENTRY;
    const entry = isFree ? mm.directory.make(vpn) : NO_ENTRY;
    if (entry === NO_ENTRY || vm.tables.bits(entry) !== PTE_NONE) {
      folioPut(vm.mem, folio);
      return "EEXIST";
    }
    fill(folio);
    mapNewAnonymous(vm, vma, vpn, entry, folio);
    mm.rssPages++;
    this.wake();
    return "done";
  }

  /** Everyone who waits looks anew. Linux: UFFDIO_WAKE. */
  wake(): void {
    this.faulted.wakeAll();
  }

  /** Tells of a fault and sleeps until woken. Linux: `handle_userfault()`. */
  *fault(message: UffdMessage): Blocking<void> {
    this.messages.push(message);
    this.readers.wakeAll();
    yield this.faulted;
  }

  private changeRange(startVpn: number, endVpn: number, change: WpChange): "done" | Errno {
    const vmas = this.vm.isolateVmas(this.mm, startVpn, endVpn);
    const isOurs = (vma: Vma): boolean => vma.userfaultfd === this && (vma.flags & VM.uffdWp) !== 0;
    if (vmas.length === 0 || !vmas.every(isOurs)) return "ENOENT";
    for (const vma of vmas) changeWp(this.vm, vma, change);
    return "done";
  }
}

/** Whether a use was told of and waited for: then the caller looks anew. */
export function* waitForUserfault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  access: "read" | "write",
): Blocking<boolean> {
  const { userfaultfd, flags, mm } = vma;
  if (userfaultfd === null) return false;
  const entry = mm.directory.lookUp(vpn);
  const bits = entry === NO_ENTRY ? PTE_NONE : vm.tables.bits(entry);
  const isMissing = bits === PTE_NONE && (flags & VM.uffdMissing) !== 0;
  const marked = PTE.present | PTE.uffdWp;
  const isWp = access === "write" && (bits & marked) === marked && (flags & VM.uffdWp) !== 0;
  if (!isMissing && !isWp) return false;
  yield* userfaultfd.fault({ kind: isMissing ? "missing" : "wp", vpn, access });
  return true;
}

function isPlainAnonymous({ mapping, driver, flags }: Vma): boolean {
  return mapping === null && driver === null && (flags & VM.hugetlb) === 0;
}

type WpChange = (mem: Memory, pfn: number, bits: number) => number;

/** A migration entry that could write comes back as one that cannot. */
const setWp: WpChange = (mem, pfn, bits) => {
  let kept = (bits & ~PTE.write) | PTE.uffdWp;
  if ((bits & PTE.migrationWrite) !== 0) {
    const isAnon = folioTestAnon(mem, pageFolio(mem, mem.pfn(pfn)));
    kept &= ~PTE_MIGRATION;
    kept |= isAnon ? PTE.migrationReadExclusive : PTE.migrationRead;
  }
  return kept;
};

/** What may be written to is so again with the next write. */
const clearWp: WpChange = (_mem, _pfn, bits) => bits & ~PTE.uffdWp;

function changeWp(vm: Vm, vma: Vma, change: WpChange): void {
  const { mem, tables } = vm;
  const { mm, startVpn, endVpn } = vma;
  invalidateRangeStart(mm, startVpn, endVpn);
  for (let vpn = startVpn; vpn < endVpn; vpn++) {
    splitHugePmd(vm, vma, vpn);
    const entry = mm.directory.find(vpn);
    if (entry === NO_ENTRY || tables.bits(entry) === PTE_NONE) continue;
    const pfn = tables.pfn(entry);
    tables.set(entry, pfn, change(mem, pfn, tables.bits(entry)));
  }
  flushTlbRange(vm, mm, startVpn, endVpn);
  invalidateRangeEnd(mm, startVpn, endVpn);
}
