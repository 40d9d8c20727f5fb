/**
 * mremap: a mapping becomes shorter, longer, or lies elsewhere.
 *
 * Order of a move: a second VMA for the new place, with the same offsets; the entries; the old
 * place is unmapped. The second VMA stands behind the first in the reverse map's order, so that a
 * walk that came to the old place too late still comes to the new one: no lock keeps walks out.
 * (Linux merges neighbouring VMAs, which can turn that order round; then it takes the locks.)
 *
 * The mmap_lock is held throughout: faults of the process wait. Linux: mm/mremap.c, 6.1.
 */
import type { Errno } from "../base/errno.ts";
import type { Blocking } from "../sched/blocking.ts";
import { userPage } from "./fault.ts";
import { unmergeKsmPages } from "./ksm/break-ksm.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { movePageTables } from "./move-page-tables.ts";
import { TASK_SIZE_PAGES } from "./page-tables.ts";
import type { Vm } from "./vm.ts";
import { unmapRange } from "./zap.ts";

/** Linux: MREMAP_*. */
export const MREMAP = {
  mayMove: 0x1,
  /** To the address that is given, whatever is mapped there. */
  fixed: 0x2,
  /** The old place stays mapped, and is empty. */
  dontUnmap: 0x4,
} as const;

const ALL_FLAGS: number = MREMAP.mayMove | MREMAP.fixed | MREMAP.dontUnmap;

export interface MremapRequest {
  readonly vpn: number;
  readonly oldPages: number;
  readonly newPages: number;
  /** MREMAP bits. */
  readonly flags: number;
  /** Only with `MREMAP.fixed`. */
  readonly newVpn?: number;
}

/** Where the mapping begins afterwards. Linux: `mremap()`. */
export function* mremap(vm: Vm, mm: Mm, request: MremapRequest): Blocking<number | Errno> {
  const wrong = checkRequest(request);
  if (wrong !== null) return wrong;
  yield* mm.mmapLock.lock();
  const result = yield* remapLocked(vm, mm, request);
  mm.mmapLock.unlock();
  if (typeof result === "number") yield* populate(vm, mm, result, request);
  return result;
}

function checkRequest({ oldPages, newPages, flags, newVpn, vpn }: MremapRequest): Errno | null {
  if ((flags & ~ALL_FLAGS) !== 0 || newPages === 0) return "EINVAL";
  const mayMove = (flags & MREMAP.mayMove) !== 0;
  if ((flags & (MREMAP.fixed | MREMAP.dontUnmap)) !== 0 && !mayMove) return "EINVAL";
  if ((flags & MREMAP.dontUnmap) !== 0 && oldPages !== newPages) return "EINVAL";
  if ((flags & MREMAP.fixed) === 0) return null;
  if (newVpn === undefined || newVpn + newPages > TASK_SIZE_PAGES) return "EINVAL";
  const overlap = vpn + oldPages > newVpn && newVpn + newPages > vpn;
  return overlap ? "EINVAL" : null;
}

function* remapLocked(vm: Vm, mm: Mm, request: MremapRequest): Blocking<number | Errno> {
  const { vpn, newPages, flags } = request;
  if (mm.vmaAt(vpn) === null) return "EFAULT";
  const goesElsewhere = (flags & (MREMAP.fixed | MREMAP.dontUnmap)) !== 0;
  const fixedVpn = (flags & MREMAP.fixed) === 0 ? undefined : request.newVpn;
  if (fixedVpn !== undefined) yield* unmapRange(vm, mm, fixedVpn, fixedVpn + newPages);
  if (request.oldPages >= newPages) {
    yield* unmapRange(vm, mm, vpn + newPages, vpn + request.oldPages);
    if (!goesElsewhere) return vpn;
  }
  const oldPages = Math.min(request.oldPages, newPages);
  const vma = mm.vmaAt(vpn);
  if (vma === null) return "EFAULT";
  const wrong = checkResize(vma, vpn, oldPages, newPages);
  if (wrong !== null) return wrong;
  if (!goesElsewhere) {
    if (growInPlace(mm, vma, vpn + oldPages, newPages - oldPages)) return vpn;
    if ((flags & MREMAP.mayMove) === 0) return "ENOMEM";
  }
  const newVpn = fixedVpn ?? mm.freeRange(newPages).startVpn;
  const moved = yield* moveVma(vm, vma, vpn, oldPages, { newVpn, newPages, flags });
  return moved === "ENOMEM" ? moved : newVpn;
}

/** Linux: `vma_to_resize()`. */
function checkResize(vma: Vma, vpn: number, oldPages: number, newPages: number): Errno | null {
  // Moves of hugetlb's page tables are not built.
  if ((vma.flags & VM.hugetlb) !== 0) return "EINVAL";
  // Nothing to move: a second mapping of the same pages, which only shared ones can have.
  if (oldPages === 0) return (vma.flags & VM.shared) === 0 ? "EINVAL" : null;
  if (oldPages > vma.endVpn - vpn) return "EFAULT";
  // Linux moves and shrinks mappings of hugetlb pages; here their promises stay where they are.
  if ((vma.flags & VM.hugetlb) !== 0) return "EINVAL";
  return newPages > oldPages && (vma.flags & VM.io) !== 0 ? "EFAULT" : null;
}

/** Linux: `vma_expandable()`. */
function growInPlace(mm: Mm, vma: Vma, endVpn: number, pages: number): boolean {
  if (endVpn !== vma.endVpn || endVpn + pages > TASK_SIZE_PAGES) return false;
  const next = mm.vmas[mm.vmas.indexOf(vma) + 1];
  if (next !== undefined && next.startVpn < endVpn + pages) return false;
  vma.endVpn += pages;
  return true;
}

/** Linux: `move_vma()`. */
function* moveVma(
  vm: Vm,
  vma: Vma,
  vpn: number,
  oldPages: number,
  { newVpn, newPages, flags }: { newVpn: number; newPages: number; flags: number },
): Blocking<"moved" | "ENOMEM"> {
  const { mm } = vma;
  // What KSM knows of merged pages is by address: they are taken apart first.
  if ((vma.flags & VM.mergeable) !== 0) {
    const unmerged = yield* unmergeKsmPages(vm, vma, vpn, vpn + oldPages);
    if (unmerged === "ENOMEM") return "ENOMEM";
  }
  const pgoff = vma.pgoff + (vpn - vma.startVpn);
  vm.copyVma(vma, { startVpn: newVpn, endVpn: newVpn + newPages, pgoff });
  yield* movePageTables(vm, mm, vpn, newVpn, oldPages);
  yield "mremap-old-place-empty";
  if ((flags & MREMAP.dontUnmap) === 0) yield* unmapRange(vm, mm, vpn, vpn + oldPages);
  else vma.flags &= ~VM.locked;
  return "moved";
}

/** A locked mapping has no page that is not there. Linux: `mm_populate()`. */
function* populate(
  vm: Vm,
  mm: Mm,
  vpn: number,
  { oldPages, newPages }: MremapRequest,
): Blocking<void> {
  const vma = mm.vmaAt(vpn);
  if (vma === null || (vma.flags & VM.locked) === 0) return;
  const access = (vma.flags & VM.write) === 0 ? "read" : "write";
  for (let at = oldPages; at < newPages; at++) {
    const page = yield* userPage(vm, mm, vpn + at, access);
    // Out of memory: what is missing is faulted in when it is used, as in Linux.
    if (typeof page === "string") return;
  }
}
