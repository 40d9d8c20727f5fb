/** Sentences about hugetlb pages: how large the pools are, private pages and shared ones. */
import { mapHugetlbRegion, sizePool, touchHugetlb } from "../hugetlb-regions.ts";
import { type Sentence, sentence, tells } from "./sentence.ts";

export const HUGETLB: readonly Sentence[] = [
  sentence(
    "^nr_hugepages node(?<one>\\d)=(?<many>\\d+) node(?<other>\\d)=(?<more>\\d+)$",
    (world, { one, many, other, more }) => {
      sizePool(world, Number(one), Number(many));
      sizePool(world, Number(other), Number(more));
    },
  ),
  sentence("^nr_overcommit=(?<count>\\d+)$", ({ machine }, { count }) => {
    if (machine.vm.hstate !== null) machine.vm.hstate.nrOvercommitHugePages = Number(count);
  }),
  sentence("^NAME = one 2MiB hugetlb page written on node(?<node>\\d)$", (world, named) => {
    touchHugetlb(world, mapHugetlbRegion(world, named["name"], "private"), Number(named["node"]));
  }),
  // Without more it is a shared one: the child that follows is to have it too.
  sentence("^NAME one hugetlb page on node(?<node>\\d)$", (world, { name, node }) => {
    touchHugetlb(world, mapHugetlbRegion(world, name, "shared"), Number(node));
  }),
  tells("^call starts at subpage \\d+, \\d+ addresses$"),
];

/** What descriptions tell of them. */
export const HUGETLB_DESCRIBED: readonly Sentence[] = [
  sentence("^MAP_SHARED hugetlb$", (world) => {
    const { mem } = world.machine;
    const { id: node } = mem.nodeOf(world.folioAt(world.onlyName, 0));
    touchHugetlb(world, mapHugetlbRegion(world, world.onlyName, "shared"), node);
  }),
  sentence("^hugetlb VMA never faulted$", (world) => {
    mapHugetlbRegion(world, world.onlyName, "private");
  }),
];
