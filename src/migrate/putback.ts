/**
 * Putting back what was isolated and did not move.
 *
 * Linux: `putback_movable_pages()`, mm/migrate.c.
 */
import { folioNrPages } from "../memory/folio.ts";
import { folioPutbackLru } from "../memory/lru.ts";
import { isolatedClass } from "../memory/lru-list.ts";
import { folioTestMovable } from "../memory/mapping-word.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import { listDel, listEmpty, listFirst } from "../memory/page-list.ts";
import type { Blocking } from "../sched/blocking.ts";
import { folioTestHugetlb } from "../vm/hugetlb/folio-state.ts";
import { folioPutbackHugetlb } from "../vm/hugetlb/isolate.ts";
import type { Vm } from "../vm/vm.ts";
import { putbackMovablePage } from "./move-movable.ts";

/**
 * Empties the list: every folio goes back to the LRU and is no longer counted as isolated; a
 * driver's page, which never was, goes back to its driver, and its lock is waited for; a hugetlb
 * folio goes back to its pool's list of those in use.
 */
export function* putbackMovablePages(vm: Vm, list: PageList): Blocking<void> {
  const { mem } = vm;
  while (!listEmpty(mem, list)) {
    const folio = listFirst(mem, list) as Folio;
    if (folioTestHugetlb(mem, folio)) {
      folioPutbackHugetlb(vm, folio);
      continue;
    }
    listDel(mem, folio);
    if (folioTestMovable(mem, folio)) {
      yield* putbackMovablePage(vm.cache, folio);
      continue;
    }
    mem.nodeOf(folio).isolatedPages[isolatedClass(mem, folio)] -= folioNrPages(mem, folio);
    folioPutbackLru(mem, folio);
  }
  for (const node of mem.nodes) node.throttled.wakeAll();
}
