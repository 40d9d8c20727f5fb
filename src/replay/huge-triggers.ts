/**
 * What started a recorded direct compaction: somebody wants huge pages, one after another.
 *
 * Only their requests are made here, as a fault or the hugetlb pool makes them; what is obtained is
 * held from outside. Linux: `vma_alloc_folio()`; `set_max_huge_pages()`, `alloc_pool_huge_page()`,
 * `alloc_buddy_huge_page()`, 6.1.
 */
import type { Machine } from "../machine/machine.ts";
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { GFP, GFP_HIGHUSER_MOVABLE, GFP_TRANSHUGE, gfpRequest } from "../memory/gfp.ts";
import type { Folio } from "../memory/memmap.ts";
import { folioAllocGfp } from "../memory/page-alloc.ts";
import { runToEnd } from "../sched/run.ts";

export interface HugeTrigger {
  readonly kind: "thp" | "hugetlb";
  readonly wanted: number;
}

const TRIGGERS = [
  ["thp", /(\d+) THP faults \(defrag=madvise\/direct compaction\), cpu 0, default policy$/],
  ["hugetlb", /echo (\d+) > \/proc\/sys\/vm\/nr_hugepages$/],
] as const;

/** The trigger that a record names, or null if it is none of these. */
export function hugeTriggerOf(trigger: string): HugeTrigger | null {
  for (const [kind, pattern] of TRIGGERS) {
    const match = pattern.exec(trigger);
    if (match !== null) return { kind, wanted: Number(match[1]) };
  }
  return null;
}

/** Returns how many were obtained. */
export function obtainHugePages(machine: Machine, { kind, wanted }: HugeTrigger): number {
  return kind === "thp" ? faultHugePages(machine, wanted) : fillHugePool(machine, wanted);
}

/** Each fault tries its own node lightly, then every node. */
function faultHugePages(machine: Machine, wanted: number): number {
  const { mem } = machine;
  const node = mem.nodeOfCpu[mem.cpu];
  let obtained = 0;
  for (let fault = 0; fault < wanted; fault++) {
    const isObtained =
      obtain(machine, GFP_TRANSHUGE | GFP.thisNode | GFP.noRetry, node) ||
      obtain(machine, GFP_TRANSHUGE, node);
    if (isObtained) obtained++;
  }
  return obtained;
}

/** Nodes in turn; a node where trying hard failed is not tried hard again until it gives. */
function fillHugePool(machine: Machine, wanted: number): number {
  const nodes = machine.mem.nodes.filter(({ zones }) => zones.length > 0);
  const failed = new Set<number>();
  let turn = 0;
  for (let obtained = 0; obtained < wanted; obtained++) {
    let isObtained = false;
    for (let tried = 0; tried < nodes.length && !isObtained; tried++) {
      const { id } = nodes[turn++ % nodes.length];
      const triesHard = !failed.has(id);
      const gfp = GFP_HIGHUSER_MOVABLE | GFP.thisNode | GFP.comp | GFP.noWarn;
      isObtained = obtain(machine, triesHard ? gfp | GFP.retryMayfail : gfp, id);
      if (isObtained) failed.delete(id);
      else failed.add(id);
    }
    if (!isObtained) return obtained;
  }
  return wanted;
}

function obtain(machine: Machine, gfp: number, node: number): boolean {
  const request = gfpRequest(gfp, PAGEBLOCK_ORDER, node);
  const folio: Folio | null = runToEnd(folioAllocGfp(machine.mem, request));
  if (folio !== null) machine.recordHold(folio, 1);
  return folio !== null;
}
