/**
 * What a kernel built or booted with more keeps for each page, beside the memory map: who pays for
 * it, who allocated it, who used it last.
 *
 * A machine has none of it (`mem.pageExt` is null) until it is asked for, and then pays one test at
 * each free and each move. A folio's state lies on its first page.
 *
 * Life of a charge: charged by its owner -> handed to the new folio by a migration -> uncharged
 * when the folio is freed. Linux: `memcg_data`, `struct page_owner`, `_last_cpupid`, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioNrPages } from "./folio.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";

/** No memory cgroup, no stack, no reason, nobody. */
const NO_CGROUP = 0;
const NO_OWNER = 0;
const NO_REASON = -1;
export const NO_CPUPID = -1;

export class PageExt {
  /** By folio: the memory cgroup that pays, or 0. Linux: `folio_memcg()`. */
  readonly memcg: Uint16Array;
  /** By page: a handle for who allocated it, or 0. Linux: `page_owner->handle`. */
  readonly owner: Uint32Array;
  /** By page: why it was last migrated, as a number of the trace's order, or -1. */
  readonly migrateReason: Int8Array;
  /** By folio: the processor and process that touched it last, or -1. Linux: `_last_cpupid`. */
  readonly lastCpupid: Int32Array;
  /** Pages that each cgroup pays for, by its number. Linux: `memcg->memory`. */
  readonly charged: number[] = [];
  /** Nodes below the top tier, where hints tell how hot a page is; none unless tiering is on. */
  readonly slowNodes: Set<number> = new Set();

  constructor(pageCount: number) {
    this.memcg = new Uint16Array(pageCount);
    this.owner = new Uint32Array(pageCount);
    this.migrateReason = new Int8Array(pageCount).fill(NO_REASON);
    this.lastCpupid = new Int32Array(pageCount).fill(NO_CPUPID);
  }
}

/** The state of the machine's pages, kept from now on. */
export function enablePageExt(mem: Memory): PageExt {
  mem.pageExt ??= new PageExt(mem.pageCount);
  return mem.pageExt;
}

/** The cgroup pays for a folio that nobody pays for yet. Linux: `mem_cgroup_charge()`. */
export function chargeFolio(mem: Memory, folio: Folio, cgroup: number): void {
  const ext = enablePageExt(mem);
  assert(cgroup !== NO_CGROUP, "cgroup 0 pays for nothing:", folio);
  assert(ext.memcg[folio] === NO_CGROUP, "a folio is paid for twice:", folio, ext.memcg[folio]);
  ext.memcg[folio] = cgroup;
  ext.charged[cgroup] = (ext.charged[cgroup] ?? 0) + folioNrPages(mem, folio);
}

/** Names who allocated a folio. Linux: `set_page_owner()`. */
export function setPageOwner(mem: Memory, folio: Folio, handle: number): void {
  const ext = enablePageExt(mem);
  ext.owner.fill(handle, folio, folio + folioNrPages(mem, folio));
}

/** The folio is freed, by its last reference. Before a compound comes apart. */
export function forgetPageExt(mem: Memory, ext: PageExt, folio: Folio): void {
  const pages = folioNrPages(mem, folio);
  const cgroup = ext.memcg[folio];
  if (cgroup !== NO_CGROUP) ext.charged[cgroup] -= pages;
  ext.memcg[folio] = NO_CGROUP;
  ext.lastCpupid[folio] = NO_CPUPID;
  for (let page = folio as Pfn; page < folio + pages; page = (page + 1) as Pfn) {
    ext.owner[page] = NO_OWNER;
    ext.migrateReason[page] = NO_REASON;
  }
}

/** Each page of a folio that was split has what the folio had. Linux: `split_page_memcg()`. */
export function splitPageExt(ext: PageExt, head: Folio, pages: number): void {
  ext.memcg.fill(ext.memcg[head], head, head + pages);
  ext.lastCpupid.fill(ext.lastCpupid[head], head, head + pages);
}
