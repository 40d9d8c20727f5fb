/** Regions of a call's world that are huge pages: private, and of a file of tmpfs. */
import { assert } from "../base/assert.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioAddLru } from "../memory/lru.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { migrateFolio } from "../migrate/callbacks.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { hugeAnonymousFault } from "../vm/huge/fault.ts";
import { mapHugeFile } from "../vm/huge/map-file.ts";
import { HUGE_ORDER } from "../vm/huge/zero-page.ts";
import { VM } from "../vm/mm.ts";
import { HUGE_PAGES } from "../vm/page-tables.ts";
import { type CallWorld, type Region, vmaOf } from "./call-world.ts";

/** A transparent huge page of the caller, mapped whole and written on that node. */
export function mapHuge(
  world: CallWorld,
  name: string,
  node: number,
  flags: number = VM.read | VM.write,
): Region {
  const region = mapHugeEmpty(world, name, flags);
  const { mm, startVpn } = region;
  runToEnd(hugeAnonymousFault(world.machine.vm, vmaOf(mm, startVpn), startVpn, "write", node));
  assert(mm.directory.findHuge(startVpn) >= 0, "no memory for a huge page on node", node);
  return region;
}

/** 2 MiB of the caller that ask for a huge page and have never been used. */
export function mapHugeEmpty(world: CallWorld, name: string, flags: number): Region {
  return world.map(name, `${HUGE_PAGES}`, world.self, flags | VM.hugepage);
}

/** A file of tmpfs of so many pages, of which the first 2 MiB were written on that node. */
export function mapHugeShmem(world: CallWorld, name: string, pages: number, node: number): void {
  const { vm } = world.machine;
  const { mem } = vm;
  const mapping = vm.cache.createMapping(`shmem ${name}`, { migrateFolio });
  const vma = vm.mapFile(world.self, { ...world.freeRange(pages), pgoff: 0 }, mapping);
  world.nameRegion(name, { mm: world.self, startVpn: vma.startVpn, pages });
  const folio = folioAlloc(mem, { ...movableRequest(node), order: HUGE_ORDER });
  assert(folio !== null, "no memory for a huge page on node", node);
  mem.flags[folio] |= PG.swapbacked | PG.uptodate | PG.dirty;
  filemapAddFolio(mem, mapping, folio, 0);
  folioAddLru(mem, folio);
  assert(mapHugeFile(vm, vma, folio, "write"), "a huge page cannot be mapped whole:", folio);
  folioPut(mem, folio);
}
