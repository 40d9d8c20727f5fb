/** Regions of a call's world that are hugetlb pages, and the pools that they come out of. */
import { assert } from "../base/assert.ts";
import { hugetlbfsMigrateFolio } from "../migrate/hugetlb.ts";
import { runToEnd } from "../sched/run.ts";
import { userPage } from "../vm/fault.ts";
import { enableHugetlb } from "../vm/hugetlb/enable.ts";
import { createHugetlbFile } from "../vm/hugetlb/file.ts";
import { type Hstate, HUGETLB_PAGES } from "../vm/hugetlb/hstate.ts";
import { mapHugetlb, mapHugetlbFile } from "../vm/hugetlb/map.ts";
import { setNrHugepages } from "../vm/hugetlb/pool-size.ts";
import { type CallWorld, NotMade, type Region } from "./call-world.ts";

/** Gives the pool of a node so many huge pages. */
export function sizePool({ machine }: CallWorld, node: number, count: number): void {
  const got = runToEnd(setNrHugepages(enableHugetlb(machine.vm), node, count));
  assert(got === count, "the machine has fewer huge pages than were recorded:", node, got, count);
}

/** Maps one huge page of the caller, with nothing in it yet. */
export function mapHugetlbRegion(
  world: CallWorld,
  name: string,
  kind: "private" | "shared",
): Region {
  const { vm } = world.machine;
  const hstate = poolOf(world);
  const range = world.freeRange(HUGETLB_PAGES);
  const { startVpn } = range;
  const region = world.nameRegion(name, { mm: world.self, startVpn, pages: HUGETLB_PAGES });
  if (kind === "private") {
    assert(runToEnd(mapHugetlb(vm, world.self, range)) !== "ENOMEM", "no huge page is free");
  } else {
    const ops = { migrateFolio: hugetlbfsMigrateFolio };
    const file = createHugetlbFile(vm, hstate, `hugetlb ${name}`, ops);
    const mapped = runToEnd(mapHugetlbFile(vm, world.self, { ...range, pgoff: 0 }, file));
    assert(mapped !== "ENOMEM", "no huge page is free");
  }
  return region;
}

/** Writes to a huge page for the first time, on that node. */
export function touchHugetlb({ machine }: CallWorld, region: Region, node: number): void {
  const { mem, vm } = machine;
  const { cpu } = mem;
  mem.cpu = mem.nodeOfCpu.indexOf(node);
  runToEnd(userPage(vm, region.mm, region.startVpn, "write"));
  mem.cpu = cpu;
}

/** A huge page that no line made, with a pool that has it. */
export function makeUntoldHugetlb(
  world: CallWorld,
  name: string,
  node: number,
  kind: "private" | "shared",
): void {
  if (world.regions.has(name)) return;
  const { nrHugePagesNode } = enableHugetlb(world.machine.vm);
  sizePool(world, node, nrHugePagesNode[node] + 1);
  touchHugetlb(world, mapHugetlbRegion(world, name, kind), node);
}

function poolOf({ machine }: CallWorld): Hstate {
  const { hstate } = machine.vm;
  if (hstate !== null) return hstate;
  throw new NotMade("setup", "a hugetlb page", "a line that says how large the pools are");
}
