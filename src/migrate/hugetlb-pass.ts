/**
 * The hugetlb folios of a list, before all others: up to ten passes over those that were busy.
 *
 * Afterwards none is on the list: what did not move is refused, unless no memory for a new folio
 * ended the call. Linux: `migrate_hugetlbs()`, mm/migrate.c, 6.1.
 */
import { folioNrPages } from "../memory/folio.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import { listAddTail, listDel, listFirst, listIsEnd } from "../memory/page-list.ts";
import type { Blocking } from "../sched/blocking.ts";
import { folioTestHugetlb } from "../vm/hugetlb/folio-state.ts";
import { unmapAndMoveHugePage } from "./hugetlb.ts";
import { type MigrateRun, NR_MAX_MIGRATE_PAGES_RETRY } from "./migrate-run.ts";

export function* migrateHugetlbs(run: MigrateRun, from: PageList): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const retry = { folios: 1, pages: 0 };
  for (let pass = 0; pass < NR_MAX_MIGRATE_PAGES_RETRY && retry.folios > 0; pass++) {
    retry.folios = 0;
    retry.pages = 0;
    let next = listFirst(mem, from);
    while (!listIsEnd(from, next)) {
      const src = next as Folio;
      next = mem.next[src] as Pfn;
      if (!folioTestHugetlb(mem, src)) continue;
      const pages = folioNrPages(mem, src);
      yield "migrate-hugetlbs-next";
      const outcome = yield* unmapAndMoveHugePage(run, src, pass > 2 ? "waits" : "tries");
      if (outcome === "done") {
        run.succeededPages += pages;
      } else if (outcome === "EAGAIN") {
        retry.folios++;
        retry.pages += pages;
      } else if (outcome === "ENOMEM") {
        run.failedPages += pages + retry.pages;
        return "ENOMEM";
      } else {
        run.failedFolios++;
        run.failedPages += pages;
        if (outcome === "ENOSYS") refuse(run, src);
      }
    }
  }
  run.failedFolios += retry.folios;
  run.failedPages += retry.pages;
  refuseAll(run, from);
  return null;
}

/** Those that were busy to the end. */
function refuseAll(run: MigrateRun, from: PageList): void {
  const { mem } = run.vm;
  let next = listFirst(mem, from);
  while (!listIsEnd(from, next)) {
    const src = next as Folio;
    next = mem.next[src] as Pfn;
    if (folioTestHugetlb(mem, src)) refuse(run, src);
  }
}

function refuse({ vm: { mem }, refused }: MigrateRun, src: Folio): void {
  listDel(mem, src);
  listAddTail(mem, refused, src);
}
