/**
 * The huge zero page: what a process reads in 2 MiB where it has never written.
 *
 * One folio of the machine, made when it is first wanted and counted by the processes that have
 * ever mapped it: they hold it until they exit. The entries themselves are special, with neither
 * reference nor mapcount. It is given back when memory is short and nobody has it.
 * Linux: `mm_get_huge_zero_page()`, `shrink_huge_zero_page_scan()`, mm/huge_memory.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { MIGRATE } from "../../memory/constants.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import { folioAlloc } from "../../memory/page-alloc.ts";
import type { Mm } from "../mm.ts";
import { HUGE_PAGES } from "../page-tables.ts";
import type { Vm } from "../vm.ts";
import { zeroPage } from "../zero-page.ts";

/** Order of a huge page. Linux: `HPAGE_PMD_ORDER`. */
export const HUGE_ORDER = 9;

/** The folio, held by the process from now on; null without memory for it. */
export function mmGetHugeZeroPage(vm: Vm, mm: Mm): Folio | null {
  const { hugeZero } = vm;
  if (hugeZero.folio === null) hugeZero.folio = makeHugeZeroPage(vm);
  if (hugeZero.folio === null) return null;
  if (!mm.usesHugeZeroPage) {
    mm.usesHugeZeroPage = true;
    hugeZero.processes++;
  }
  return hugeZero.folio;
}

/** The process is about to end. */
export function mmPutHugeZeroPage(vm: Vm, mm: Mm): void {
  if (!mm.usesHugeZeroPage) return;
  mm.usesHugeZeroPage = false;
  vm.hugeZero.processes--;
}

/** Frees the folio if no process holds it. Returns the number of pages freed. */
export function shrinkHugeZeroPage(vm: Vm): number {
  const { folio, processes } = vm.hugeZero;
  if (folio === null || processes > 0) return 0;
  vm.hugeZero.folio = null;
  folioPut(vm.mem, folio);
  return HUGE_PAGES;
}

function makeHugeZeroPage(vm: Vm): Folio | null {
  const { mem } = vm;
  // A split of an entry needs the small one, and must not fail for want of it.
  const folio = zeroPage(vm) === null ? null : allocHugeZeroPage(vm);
  const { thp_zero_page_alloc, thp_zero_page_alloc_failed } = VM_EVENT;
  mem.events.count(folio === null ? thp_zero_page_alloc_failed : thp_zero_page_alloc, 1);
  return folio;
}

function allocHugeZeroPage({ mem }: Vm): Folio | null {
  const folio = folioAlloc(mem, {
    order: HUGE_ORDER,
    migratetype: MIGRATE.unmovable,
    node: mem.nodeOfCpu[mem.cpu],
    highestZone: "Normal",
  });
  if (folio === null) return null;
  for (let at = 0; at < HUGE_PAGES; at++) mem.frames.clear((folio + at) as Pfn);
  return folio;
}
