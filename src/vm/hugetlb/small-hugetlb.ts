/**
 * A pool of huge pages on a small memory, for tests and for scenarios that are run many times.
 */
import { assert } from "../../base/assert.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { SmallMemoryShape } from "../../memory/small-memory.ts";
import { runToEnd } from "../../sched/run.ts";
import { writeUser } from "../fault.ts";
import type { Mm, Vma } from "../mm.ts";
import type { Vm } from "../vm.ts";
import { enableHugetlb } from "./enable.ts";
import type { HugetlbFile } from "./file.ts";
import { type Hstate, HUGETLB_PAGES } from "./hstate.ts";
import { mapHugetlb, mapHugetlbFile } from "./map.ts";
import { setNrHugepages } from "./pool-size.ts";

/** Nodes with room for `hugePages` huge pages each. */
export function hugetlbShape(nodes: number, hugePages: number): SmallMemoryShape {
  const spanned = hugePages * HUGETLB_PAGES;
  // Frame 0 is nobody's, so the first node begins with the second huge page.
  const first = HUGETLB_PAGES;
  return {
    pageCount: first + nodes * spanned,
    zones: Array.from({ length: nodes }, (_, node) => ({
      startPfn: first + node * spanned,
      spanned,
      node,
    })),
    distances: Array.from({ length: nodes }, (_, from) =>
      Array.from({ length: nodes }, (_, to) => (from === to ? 10 : 20)),
    ),
  };
}

/** By node: how many huge pages its pool has. */
export function smallPool(vm: Vm, counts: readonly number[]): Hstate {
  const hstate = enableHugetlb(vm);
  for (const [node, count] of counts.entries()) {
    const got = runToEnd(setNrHugepages(hstate, node, count));
    assert(got === count, "a small memory has fewer huge pages than wanted:", got, count);
  }
  return hstate;
}

/** Maps `count` private huge pages into a process, and promises them. */
export function mapHuge(vm: Vm, mm: Mm, count: number, flags?: number): Vma {
  const range = mm.freeRange(count * HUGETLB_PAGES);
  const vma = runToEnd(mapHugetlb(vm, mm, range, flags));
  assert(vma !== "ENOMEM", "a small pool cannot promise so many huge pages:", count);
  return vma;
}

/** Maps the first `count` huge pages of a file. */
export function mapHugeFile(vm: Vm, mm: Mm, file: HugetlbFile, count: number): Vma {
  const range = { ...mm.freeRange(count * HUGETLB_PAGES), pgoff: 0 };
  const vma = runToEnd(mapHugetlbFile(vm, mm, range, file));
  assert(vma !== "ENOMEM", "a small pool cannot promise so many huge pages:", count);
  return vma;
}

/** Writes to huge page `at` of the VMA, and returns the folio that is there then. */
export function touchHuge(vm: Vm, vma: Vma, at: number, value: number): Folio {
  const vpn = vma.startVpn + at * HUGETLB_PAGES;
  const written = runToEnd(writeUser(vm, vma.mm, vpn, 0, value));
  assert(written === "done", "a huge page cannot be written:", written);
  return hugeFolioAt(vm, vma, at);
}

/** The folio that huge page `at` of the VMA maps. */
export function hugeFolioAt(vm: Vm, vma: Vma, at: number): Folio {
  const entry = vma.mm.directory.findHuge(vma.startVpn + at * HUGETLB_PAGES);
  return vm.mem.pfn(vm.tables.pfn(entry)) as Folio;
}
