/**
 * The pages of a record as they were before its call: checked, and brought into their batches.
 *
 * A world whose pages lie elsewhere than the kernel's did is not the one that was recorded. Pages
 * that have no PG_lru wait in a per-CPU batch, all others of the record have been drained. What
 * nobody made although it was there is plain anonymous memory.
 */
import { pageFolio } from "../memory/folio.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioAddLru, folioIsolateLru, lruAddDrainAll } from "../memory/lru.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { runToEnd } from "../sched/run.ts";
import { userPage } from "../vm/fault.ts";
import type { Mm } from "../vm/mm.ts";
import { VM } from "../vm/mm.ts";
import { entryPfn, NO_ENTRY } from "../vm/page-tables.ts";
import { PTE, PTE_NONE } from "../vm/pte.ts";
import type { PageState } from "./call-record.ts";
import type { CallWorld } from "./call-world.ts";
import { mapHuge, mapHugeEmpty } from "./huge-regions.ts";
import { makeUntoldHugetlb } from "./hugetlb-regions.ts";

/** Anonymous memory that is made in ways of its own. */
const KINDS_WITH_SENTENCES = ["KSM", "SWAPCACHE"];

/** Makes regions that no line made and of which the record saw a page, as anonymous memory. */
export function makeUntold(world: CallWorld, states: readonly PageState[]): void {
  const untold = new Set<string>();
  for (const { page, node, flags } of states) {
    const match = /^(\w+)\[(\d+)\]$/.exec(page);
    if (match === null || node === null) continue;
    const [, name, index] = match;
    if (flags.has("THP")) {
      makeUntoldHuge(world, name, node, flags);
      continue;
    }
    if (flags.has("HUGE")) {
      makeUntoldHugetlb(world, name, node, flags.has("ANON") ? "private" : "shared");
      continue;
    }
    if (!flags.has("ANON")) continue;
    if (KINDS_WITH_SENTENCES.some((flag) => flags.has(flag))) continue;
    if (!world.regions.has(name)) {
      untold.add(name);
      world.map(name, undefined);
    }
    if (untold.has(name)) world.touch(world.region(name), node, [Number(index)]);
  }
}

/** A huge page that no line made: the zero page for a reader, or one of the caller's own. */
function makeUntoldHuge(
  world: CallWorld,
  name: string,
  node: number,
  flags: ReadonlySet<string>,
): void {
  if (world.regions.has(name)) return;
  const access = VM.read | VM.write;
  if (flags.has("ANON")) {
    mapHuge(world, name, node, flags.has("MLOCKED") ? access | VM.locked : access);
  } else if (flags.has("ZERO_PAGE")) {
    const { mm, startVpn } = mapHugeEmpty(world, name, access);
    runToEnd(userPage(world.machine.vm, mm, startVpn, "read"));
  }
}

/** What is not as it was recorded, or null. */
export function stateDifference(
  world: CallWorld,
  mm: Mm | null,
  states: readonly PageState[],
): string | null {
  if (mm === null) return null;
  for (const { page, state, node } of states) {
    const vpn = world.pageOf(page);
    if (vpn === null) continue;
    const found = pageState(world, mm, vpn);
    const foundText = describe(found.state, found.node);
    const wanted = describe(state, node);
    if (foundText !== wanted)
      return `before the call ${page} was ${wanted}, here it is ${foundText}`;
  }
  return null;
}

/** Puts each page where the record saw it: on the LRU, or in this processor's batch. */
export function settleBatches(world: CallWorld, mm: Mm | null, states: readonly PageState[]): void {
  const { mem } = world.machine;
  if (mm === null || states.length === 0) return;
  lruAddDrainAll(mem);
  for (const { page, state, flags } of states) {
    const vpn = world.pageOf(page);
    if (vpn === null || state !== "present" || flags.has("LRU")) continue;
    const { pfn } = pageState(world, mm, vpn);
    if (pfn === null || pageFolio(mem, pfn) !== pfn) continue;
    const folio = pfn as Folio;
    if (!folioIsolateLru(mem, folio)) continue;
    folioAddLru(mem, folio);
    folioPut(mem, folio);
  }
}

interface FoundPage {
  readonly state: string;
  readonly node: number | null;
  readonly pfn: Pfn | null;
}

/** As /proc/PID/pagemap tells: mappings of bare frames are holes to it. */
function pageState({ machine }: CallWorld, mm: Mm, vpn: number): FoundPage {
  const { mem, vm } = machine;
  const nothing = { state: "not_present", node: null, pfn: null };
  const vma = mm.vmaAt(vpn);
  if (vma === null || (vma.flags & VM.pfnmap) !== 0) return nothing;
  const entry = mm.directory.lookUp(vpn);
  const bits = entry === NO_ENTRY ? PTE_NONE : vm.tables.bits(entry);
  if (bits === PTE_NONE) return nothing;
  if ((bits & PTE.present) === 0) return { ...nothing, state: "swap_entry" };
  const pfn = mem.pfn(entryPfn(vm.tables, entry, vpn));
  return { state: "present", node: mem.nodeOf(pfn).id, pfn };
}

function describe(state: string, node: number | null): string {
  return node === null ? state : `on node ${node}`;
}
