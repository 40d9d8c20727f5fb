/**
 * Reclaim on a small memory with a little swap, for tests and for scenarios.
 */
import { GFP_KERNEL } from "../../memory/gfp.ts";
import type { Folio, PageList, Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { listAdd, listFirst, listIsEnd } from "../../memory/page-list.ts";
import type { SmallMemoryShape } from "../../memory/small-memory.ts";
import { Clock } from "../../sched/clock.ts";
import { runToEnd } from "../../sched/run.ts";
import { smallVm } from "../../vm/small-vm.ts";
import { COMPACT_SYSCTL_DEFAULTS } from "../compaction/control.ts";
import type { FolioOutcome } from "./outcomes.ts";
import { RECLAIM_SYSCTL_DEFAULTS, Reclaimer } from "./reclaimer.ts";
import { type ReclaimRequest, ScanControl } from "./scan-control.ts";
import { type References, ShrinkPass, shrinkFolioList } from "./shrink-folio-list.ts";

/** On 64 frames, or what `shape` says. */
export function smallReclaim(shape?: SmallMemoryShape): Reclaimer {
  const sysctl = { ...COMPACT_SYSCTL_DEFAULTS, ...RECLAIM_SYSCTL_DEFAULTS };
  return new Reclaimer(smallVm(shape), new Clock(), { sysctl });
}

/** A direct reclaim for one page that may do everything, or what `request` says. */
export function scanFor(reclaimer: Reclaimer, request: Partial<ReclaimRequest> = {}): ScanControl {
  return new ScanControl(reclaimer, {
    by: "direct",
    gfp: GFP_KERNEL,
    order: 0,
    highestZone: 3,
    pagesToReclaim: 32,
    ...request,
  });
}

/** The folios of a list, first to last. */
export function listed(mem: Memory, list: PageList): number[] {
  const folios: number[] = [];
  for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
    folios.push(at);
  }
  return folios;
}

/** Has reclaim try isolated folios, the first of them first. Gives what stayed, and what became. */
export function shrink(
  sc: ScanControl,
  folios: readonly Folio[],
  references: References = "checked",
): { readonly pass: ShrinkPass; readonly stayed: number[]; readonly outcomes: FolioOutcome[] } {
  const { vm, outcomes } = sc.reclaimer;
  const { mem } = vm;
  const list = mem.takeList();
  for (const folio of folios) listAdd(mem, list, folio);
  const before = { ...outcomes };
  const pass = new ShrinkPass(sc, list, references);
  runToEnd(shrinkFolioList(pass));
  const names = Object.keys(outcomes) as FolioOutcome[];
  const met = names.flatMap((name) =>
    Array.from({ length: outcomes[name] - before[name] }, () => name),
  );
  return { pass, stayed: listed(mem, list), outcomes: met };
}
