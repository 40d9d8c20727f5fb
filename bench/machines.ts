/**
 * Machines that the benchmarks run on: one node, one zone, one process.
 */
import { Random } from "../src/base/random.ts";
import { Machine } from "../src/machine/machine.ts";
import { placeFreeBlock } from "../src/memory/buddy.ts";
import { MIGRATE } from "../src/memory/constants.ts";
import type { Frames } from "../src/memory/frames.ts";
import { lruAddDrainAll } from "../src/memory/lru.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { drainAllPages } from "../src/memory/pcp.ts";
import { runToEnd } from "../src/sched/run.ts";
import { anonymousFault } from "../src/vm/fault.ts";
import { zapRange } from "../src/vm/zap.ts";

/** Pages that the zone keeps free, so that compaction has room to begin. */
const WATERMARK_MIN = 1024;

/** A machine whose memory is free, in blocks of the largest order, every block movable. */
export function freeMachine(pageCount: number, frames: Frames): Machine {
  const machine = new Machine(
    {
      pageCount,
      nodeOfCpu: [0],
      distances: [[10]],
      zones: [
        {
          type: "Normal",
          node: 0,
          startPfn: 0,
          spanned: pageCount,
          present: pageCount,
          managed: pageCount,
          watermarkMin: WATERMARK_MIN,
          watermarkLow: WATERMARK_MIN,
          watermarkHigh: WATERMARK_MIN,
          lowmemReserve: [],
          pcp: [{ high: 512, batch: 63 }],
        },
      ],
    },
    frames,
  );
  const { mem } = machine;
  mem.flags.fill(0);
  mem.pageblockFlags.fill(MIGRATE.movable);
  for (let pfn = pageCount - 1024; pfn >= 0; pfn -= 1024) {
    placeFreeBlock(mem, mem.zones[0], pfn as Pfn, 10, MIGRATE.movable);
  }
  return machine;
}

/**
 * A machine of which one process has touched every page in ascending order and given all but
 * `share` of them back, at random.
 */
export function fragmentedMachine(pageCount: number, share: number, frames: Frames): Machine {
  const machine = freeMachine(pageCount, frames);
  const { mem, vm } = machine;
  const mm = vm.createMm("process");
  const pages = pageCount - 2 * WATERMARK_MIN;
  const vma = vm.mapAnonymous(mm, mm.freeRange(pages));
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    runToEnd(anonymousFault(vm, vma, vpn));
  }
  const random = new Random(1);
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    if (!random.chance(share)) zapRange(vm, vma, vpn, vpn + 1);
  }
  lruAddDrainAll(mem);
  drainAllPages(mem);
  return machine;
}
