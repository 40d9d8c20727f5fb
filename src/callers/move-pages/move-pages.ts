/**
 * move_pages(2): a process names pages, of its own or another's, and where each is to go.
 *
 * What is checked, in order: the flags, the right to move shared pages, that the process exists,
 * that the caller may look at it, and that it has memory; only then are the arrays looked at. With
 * nodes the pages move (`pages-move.ts`), without the caller learns where they are
 * (`pages-stat.ts`). A kernel without migration does not have the call: ENOSYS.
 * Linux: `kernel_move_pages()`, `find_mm_struct()`, mm/migrate.c, 6.1.
 */
import type { Errno } from "../../base/errno.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Mm } from "../../vm/mm.ts";
import { type Process, type ProcessTable, ptraceMayAccess } from "../../vm/process.ts";
import type { Vm } from "../../vm/vm.ts";
import { doPagesMove } from "./pages-move.ts";
import { doPagesStat } from "./pages-stat.ts";
import type { UserInput, UserOutput } from "./user-array.ts";

/** Flags of the call. Linux: MPOL_MF_*. */
export const MPOL_MF = { move: 0x2, moveAll: 0x4 } as const;

export interface MovePagesCall {
  readonly caller: Process;
  /** Whose pages they are; 0 for the caller's own. */
  readonly pid: number;
  /** Entries; the arrays need not be that long: what lies behind them faults. */
  readonly nrPages: number;
  /** Virtual page numbers. */
  readonly pages: UserInput;
  /** By entry: where it is to go; null asks where each is. */
  readonly nodes: UserInput | null;
  /** MPOL_MF bits. */
  readonly flags: number;
  /** By entry: its node, or an errno negated. Entries that are not decided stay as they are. */
  readonly status: UserOutput;
}

/** `value` is 0 or the number of pages that were not moved; with an errno it is -1. */
export interface MovePagesResult {
  readonly value: number;
  readonly errno: Errno | null;
}

export function* movePages(
  vm: Vm,
  processes: ProcessTable,
  call: MovePagesCall,
): Blocking<MovePagesResult> {
  if (!vm.mem.features.migration) return failed("ENOSYS");
  const { flags, nodes, caller } = call;
  if ((flags & ~(MPOL_MF.move | MPOL_MF.moveAll)) !== 0) return failed("EINVAL");
  const moveAll = (flags & MPOL_MF.moveAll) !== 0;
  if (moveAll && !caller.credentials.capabilities.has("CAP_SYS_NICE")) return failed("EPERM");
  const target = findTarget(processes, call);
  if (typeof target === "string") return failed(target);
  if (nodes === null) {
    const errno = doPagesStat(vm, target.mm, call);
    return errno === null ? { value: 0, errno } : failed(errno);
  }
  const left = yield* doPagesMove(vm, target, { ...call, nodes, moveAll });
  return typeof left === "string" ? failed(left) : { value: left, errno: null };
}

/** The process, and that it has memory. Linux: `find_mm_struct()`. */
function findTarget(
  processes: ProcessTable,
  { caller, pid }: MovePagesCall,
): (Process & { mm: Mm }) | Errno {
  const target = pid === 0 ? caller : processes.find(pid);
  if (target === null) return "ESRCH";
  const refused = pid === 0 ? null : ptraceMayAccess(caller, target);
  if (refused !== null) return refused;
  return hasMemory(target) ? target : "EINVAL";
}

function hasMemory(process: Process): process is Process & { mm: Mm } {
  return process.mm !== null;
}

function failed(errno: Errno): MovePagesResult {
  return { value: -1, errno };
}
