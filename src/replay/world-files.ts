/**
 * Files of a call's world: of tmpfs, written on a node, mapped and used by its processes.
 *
 * Pages that a record says were written are put into the cache on the node that it names, as a
 * write under MPOL_BIND does; all else goes by faults.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioAddLru } from "../memory/lru.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { type AddressSpace, AS } from "../pagecache/address-space.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { userPage } from "../vm/fault.ts";
import type { Mm } from "../vm/mm.ts";
import type { Vm } from "../vm/vm.ts";

/** A file of tmpfs of so many pages, none of which is there. */
export function createTmpfsFile({ shmem }: Vm, pages: number): AddressSpace {
  assert(shmem !== null, "a file of tmpfs on a machine without shmem of pages", pages);
  return shmem.createFile("tmpfs", pages * PAGE_SIZE);
}

/** Puts new pages at every offset below `pages` into a file, as a write on that node does. */
export function writeFile({ mem }: Vm, mapping: AddressSpace, pages: number, node: number): void {
  for (let offset = 0; offset < pages; offset++) {
    const folio = folioAlloc(mem, movableRequest(node));
    assert(folio !== null, "no memory for a file's page on node", node);
    mem.flags[folio] |= PG.uptodate | PG.dirty;
    if ((mapping.flags & AS.swapBacked) !== 0) mem.flags[folio] |= PG.swapbacked;
    filemapAddFolio(mem, mapping, folio, offset);
    folioAddLru(mem, folio);
    folioPut(mem, folio);
  }
}

/** Has a process use pages from `startVpn` on, each by a fault if it has to. */
export function usePages(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  pages: number,
  access: "read" | "write",
): void {
  for (let vpn = startVpn; vpn < startVpn + pages; vpn++) {
    const page = runToEnd(userPage(vm, mm, vpn, access));
    assert(typeof page === "number", "a process cannot use its memory at", vpn);
  }
}
