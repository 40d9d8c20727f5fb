/**
 * The stack of a program that is being started.
 *
 * Its arguments are written before anyone knows where the stack will lie; then the pages are moved
 * down by page tables alone. Meanwhile the VMA already says the new place, and the reverse map
 * would not find the entries that are still at the old one: `VM.incompleteStack` has migrations
 * leave these pages alone. Linux: `setup_arg_pages()`, `shift_arg_pages()`, fs/exec.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Blocking } from "../sched/blocking.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { movePageTables } from "./move-page-tables.ts";
import type { Vm } from "./vm.ts";

/** A stack for the arguments of the program to come. Linux: `bprm_mm_init()`. */
export function createArgStack(vm: Vm, mm: Mm, startVpn: number, endVpn: number): Vma {
  const range = { startVpn, endVpn, pgoff: startVpn };
  return vm.mapAnonymous(mm, range, VM.read | VM.write | VM.incompleteStack);
}

/** Moves the stack down to where it stays; from then on it is memory like any other. */
export function* setupArgPages(vm: Vm, vma: Vma, shiftPages: number): Blocking<void> {
  const { mm } = vma;
  assert((vma.flags & VM.incompleteStack) !== 0, "not the stack of a new program:", vma.startVpn);
  yield* mm.mmapLock.lock();
  if (shiftPages > 0) yield* shiftArgPages(vm, vma, shiftPages);
  vma.flags &= ~VM.incompleteStack;
  mm.mmapLock.unlock();
}

function* shiftArgPages(vm: Vm, vma: Vma, shiftPages: number): Blocking<void> {
  const { mm, startVpn: oldStart, endVpn: oldEnd } = vma;
  const newStart = oldStart - shiftPages;
  assert(newStart >= 0, "a stack below the first address:", newStart);
  for (let vpn = newStart; vpn < oldStart; vpn++) {
    assert(mm.vmaAt(vpn) === null, "a stack is moved to where memory is:", vpn);
  }
  // Covers both places; the offsets say the new one from here on.
  vma.startVpn = newStart;
  yield* movePageTables(vm, mm, oldStart, newStart, oldEnd - oldStart);
  vma.endVpn = oldEnd - shiftPages;
}
