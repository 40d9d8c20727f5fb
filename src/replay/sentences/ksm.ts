/** Sentences about pages that KSM merges. */
import { InputError } from "../../base/input-error.ts";
import { runToEnd } from "../../sched/run.ts";
import { madviseMergeable } from "../../vm/ksm/madvise.ts";
import { ksmScan } from "../../vm/ksm/scan.ts";
import type { CallWorld, Region } from "../call-world.ts";
import { current, type Sentence, sentence, tells } from "./sentence.ts";

/** A pass of KSM ends before it has looked at that many pages. */
const ALL_PAGES = 1 << 20;
/** Pages are looked at once, and merged the second time; a third pass changes nothing. */
const PASSES = 3;

export const KSM: readonly Sentence[] = [
  sentence(
    "^(?<from>\\d+)\\.\\.(?<to>\\d+) filled 0x(?<byte>[\\da-f]+), " +
      "(?<other>\\d+) filled 0x(?<otherByte>[\\da-f]+)$",
    (world, { from, to, byte, other, otherByte }) => {
      const region = current(world);
      for (let page = Number(from); page <= Number(to); page++) fill(world, region, page, byte);
      fill(world, region, Number(other), otherByte);
    },
  ),
  sentence("^MADV_MERGEABLE$", (world) => {
    const { mm, startVpn, pages } = current(world);
    madviseMergeable(world.machine.vm, mm, startVpn, startVpn + pages);
  }),
  sentence(
    "^ksmd run until (?<from>\\d+)\\.\\.(?<to>\\d+) share one frame \\(merged=1\\)$",
    (world, { from, to }) => {
      const { vm } = world.machine;
      for (let pass = 0; pass < PASSES; pass++) runToEnd(ksmScan(vm, ALL_PAGES));
      const frames = new Set<number>();
      for (let page = Number(from); page <= Number(to); page++) {
        frames.add(frameOf(world, current(world), page));
      }
      if (frames.size === 1) return;
      throw new InputError("setup", `${frames.size} frames after KSM`, "one");
    },
  ),
  tells("^(?:ksm stopped|NAME\\[\\d+\\] still KSM)$"),
];

function fill(world: CallWorld, region: Region, page: number, byte: string): void {
  const { mem } = world.machine;
  mem.frames.fill(mem.pfn(frameOf(world, region, page)), Number.parseInt(byte, 16));
}

function frameOf({ machine }: CallWorld, { mm, startVpn }: Region, page: number): number {
  return machine.vm.tables.pfn(mm.directory.find(startVpn + page));
}
