/** Sentences about swap: an area, pages on their way out and in, memory that was given up. */
import { runToEnd } from "../../sched/run.ts";
import { readUser } from "../../vm/fault.ts";
import { type Advice, madvise } from "../../vm/madvise/madvise.ts";
import { RamSwap } from "../../vm/swap/swap-device.ts";
import type { CallWorld, Region } from "../call-world.ts";
import { type Sentence, sentence } from "./sentence.ts";

/** Room for what records page out. */
const SLOTS = 4096;

export const SWAP_SENTENCES: readonly Sentence[] = [
  sentence("^zram0 swap$", addSwap),
  sentence("^MADV_PAGEOUT NAME\\[(?<from>\\d+)\\.\\.(?<to>\\d+)\\]$", (world, groups) => {
    pageOut(world, world.region(groups["name"]), Number(groups["from"]), Number(groups["to"]));
  }),
  sentence("^NAME (?<count>\\d+) anon paged out$", (world, { name, count }) => {
    const region = world.map(name, count);
    world.touch(region, 0);
    pageOut(world, region, 0, region.pages - 1);
  }),
  sentence("^(?<list>\\w+\\[\\d+\\](?:,\\w+\\[\\d+\\])*) read again$", (world, { list }) => {
    for (const address of list.split(",")) read(world, address);
  }),
  sentence("^parent reads (?<address>\\w+\\[\\d+\\])$", (world, { address }) => {
    read(world, address);
  }),
  sentence("^NAME anon node(?<node>\\d) then MADV_FREE$", (world, { name, node }) => {
    const region = world.map(name, undefined);
    world.touch(region, Number(node));
    advise(world, region, "MADV_FREE", 0, region.pages - 1);
  }),
];

/** A compressed disk in memory, as the machine of the records has. */
function addSwap({ machine }: CallWorld): void {
  machine.swapOn({
    name: "/dev/zram0",
    device: new RamSwap(machine.mem, SLOTS),
    slots: SLOTS,
    priority: -2,
    synchronous: true,
  });
}

/** Pages `from` to `to`, `to` included; to the one area, if no line before said so. */
function pageOut(world: CallWorld, region: Region, from: number, to: number): void {
  if (world.machine.vm.swap === null) addSwap(world);
  advise(world, region, "MADV_PAGEOUT", from, to);
}

function advise(
  { machine }: CallWorld,
  { mm, startVpn }: Region,
  advice: Advice,
  from: number,
  to: number,
): void {
  runToEnd(madvise(machine.vm, mm, startVpn + from, startVpn + to + 1, advice));
}

function read(world: CallWorld, address: string): void {
  const match = /^(\w+)\[(\d+)\]$/.exec(address);
  const { mm, startVpn } = world.region(match?.[1]);
  runToEnd(readUser(world.machine.vm, mm, startVpn + Number(match?.[2]), 0));
}
