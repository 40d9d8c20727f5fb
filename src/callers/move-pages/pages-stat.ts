/**
 * Where pages are, for who only asks: by chunks of 16 entries, each read, looked up and written.
 *
 * Whether a page is shared does not matter, and nothing moves. A fault ends the call; chunks that
 * are written by then stay. Linux: `do_pages_stat()`, mm/migrate.c, 6.1.
 */
import type { Errno } from "../../base/errno.ts";
import { ERRNO } from "../../base/errno.ts";
import { pageFolio } from "../../memory/folio.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { followPage } from "../../vm/follow-page.ts";
import type { Mm } from "../../vm/mm.ts";
import type { Vm } from "../../vm/vm.ts";
import { putUser, type UserInput, type UserOutput } from "./user-array.ts";

/** Linux: DO_PAGES_STAT_CHUNK_NR. */
const CHUNK = 16;

export interface PagesStat {
  readonly nrPages: number;
  readonly pages: UserInput;
  readonly status: UserOutput;
}

/** Writes each entry's node, or why there is none. "EFAULT" where an array ends too early. */
export function doPagesStat(vm: Vm, mm: Mm, { nrPages, pages, status }: PagesStat): Errno | null {
  for (let start = 0; start < nrPages; start += CHUNK) {
    const count = Math.min(CHUNK, nrPages - start);
    // A chunk is read whole, and looked up only if all of it could be read.
    if (start + count > pages.mapped) return "EFAULT";
    const nodes = pages.values.slice(start, start + count).map((vpn) => nodeStatus(vm, mm, vpn));
    if (!putUser(status, start, count, (index) => nodes[index])) return "EFAULT";
  }
  return null;
}

function nodeStatus(vm: Vm, mm: Mm, vpn: number): number {
  const vma = mm.vmaAt(vpn);
  if (vma === null) return -ERRNO.EFAULT;
  const page = followPage(vm, vma, vpn);
  if (typeof page === "string") return -ERRNO[page];
  folioPut(vm.mem, pageFolio(vm.mem, page));
  return vm.mem.nodeOf(page).id;
}
