/**
 * Direct I/O: a device reads or writes a process's pages where they lie, and is done later.
 *
 * From start to completion the request holds the pages by plain references, as 6.1 does (it pins
 * from 6.3 on). The device touches the bytes at completion and not before; pages that it has filled
 * are marked dirty before they are let go. Linux: `bio_iov_iter_get_pages()`,
 * `bio_release_pages()`, block/bio.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import type { Errno } from "../../base/errno.ts";
import { pageFolio } from "../../memory/folio.ts";
import { PAGE_WORDS } from "../../memory/frames.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import { type Pfn, setFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { folioMarkDirty } from "../../pagecache/mark-dirty.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { FOLL, getUserPages, putUserPages } from "../gup.ts";
import type { Mm } from "../mm.ts";
import type { Vm } from "../vm.ts";

/** A request under way. `reads`: from the device, into memory. */
export interface DirectIo {
  readonly direction: "reads" | "writes";
  /** Emptied by the completion. */
  pages: readonly Pfn[];
}

/** Starts a request for `count` pages from `vpn` on; "EFAULT" unless all are there. */
export function* startDirectIo(
  vm: Vm,
  mm: Mm,
  vpn: number,
  count: number,
  direction: DirectIo["direction"],
): Blocking<DirectIo | Errno> {
  const flags = direction === "reads" ? FOLL.get | FOLL.write : FOLL.get;
  const pages = yield* getUserPages(vm, mm, vpn, count, flags);
  if (typeof pages === "string") return pages;
  if (pages.length === count) return { direction, pages };
  putUserPages(vm.mem, pages);
  return "EFAULT";
}

/** The device has read: page `at` of the request holds what `keys[at]` stands for. */
export function* completeDirectRead(vm: Vm, io: DirectIo, keys: readonly number[]): Steps<void> {
  const { mem } = vm;
  assert(io.direction === "reads", "a write completes as a read");
  assert(io.pages.length === keys.length, "a read of other pages than were asked for", keys.length);
  for (const [at, page] of io.pages.entries()) {
    mem.frames.fill(page, keys[at]);
    const folio = pageFolio(mem, page);
    if (folioTestAnon(mem, folio)) setFlag(mem, folio, PG.dirty);
    else yield* folioMarkDirty(mem, vm.cache.folioMapping(folio), folio);
  }
  release(vm, io);
}

/** The device has written: the words of each page as it found them. */
export function completeDirectWrite(vm: Vm, io: DirectIo): Int32Array[] {
  assert(io.direction === "writes", "a read completes as a write");
  const written = io.pages.map((page) => pageWords(vm, page));
  release(vm, io);
  return written;
}

function release(vm: Vm, io: DirectIo): void {
  assert(io.pages.length > 0, "a request completes twice");
  putUserPages(vm.mem, io.pages);
  io.pages = [];
}

/** What a page holds; one word where contents are tokens. */
export function pageWords({ mem: { frames } }: Vm, page: Pfn): Int32Array {
  const words = frames.contents === "tokens" ? 1 : PAGE_WORDS;
  return Int32Array.from({ length: words }, (_, word) => frames.readWord(page, word));
}
