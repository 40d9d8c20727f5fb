/**
 * What an evicted page leaves behind, and what that says when it comes back.
 *
 * A node's age counts the pages that left its inactive lists. The difference between its values at
 * eviction and at return is how many pages more the lists would have needed to keep it; if the
 * active pages are as many, they are in the way of it, and it starts active. A page that had been
 * active before is a sign that memory is too small: what it costs is noted for its kind.
 *
 * Linux: mm/workingset.c, 6.1, which packs this into a word and so rounds the age on machines of
 * more than 2^40 pages; here a shadow is a number that holds all of it.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { isolatedClass } from "../../memory/lru-list.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { LRU } from "../../memory/node.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Reclaimer } from "./reclaimer.ts";

/** Node numbers in a shadow. */
const NODES = 1024;

/** The shadow of a folio that is about to be evicted. Linux: `workingset_eviction()`. */
export function workingsetEviction(mem: Memory, folio: Folio): number {
  const node = mem.nodeOf(folio);
  const wasWorkingset = testFlag(mem, folio, PG.workingset) ? 1 : 0;
  const shadow = (node.nonresidentAge * NODES + node.id) * 2 + wasWorkingset;
  node.nonresidentAge += folioNrPages(mem, folio);
  return shadow;
}

/** A new folio has the contents that left the shadow. Linux: `workingset_refault()`. */
export function workingsetRefault(reclaimer: Reclaimer, folio: Folio, shadow: number): void {
  const { mem } = reclaimer.vm;
  const kind = isolatedClass(mem, folio);
  const pages = folioNrPages(mem, folio);
  const wasWorkingset = shadow % 2 === 1;
  const evicted = mem.nodes[Math.floor(shadow / 2) % NODES];
  const age = Math.floor(shadow / 2 / NODES);
  mem.events.count(REFAULT[kind], pages);
  const { lruPages } = evicted;
  let inTheWay = lruPages[LRU.activeFile];
  if (kind === 0) inTheWay += lruPages[LRU.inactiveFile];
  if (reclaimer.canReclaimAnon) {
    inTheWay += lruPages[LRU.activeAnon];
    if (kind === 1) inTheWay += lruPages[LRU.inactiveAnon];
  }
  if (evicted.nonresidentAge - age > inTheWay) return;
  const home = reclaimer.nodes[mem.nodeOf(folio).id];
  setFlag(mem, folio, PG.active);
  home.node.nonresidentAge += pages;
  home.activations[kind] += pages;
  mem.events.count(ACTIVATE[kind], pages);
  if (!wasWorkingset) return;
  setFlag(mem, folio, PG.workingset);
  home.noteCost(kind, pages);
  mem.events.count(RESTORE[kind], pages);
}

const REFAULT = [VM_EVENT.workingset_refault_anon, VM_EVENT.workingset_refault_file] as const;
const ACTIVATE = [VM_EVENT.workingset_activate_anon, VM_EVENT.workingset_activate_file] as const;
const RESTORE = [VM_EVENT.workingset_restore_anon, VM_EVENT.workingset_restore_file] as const;
