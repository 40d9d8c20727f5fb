/** Sentences about shared memory and files: shared anonymous, memfd, tmpfs. */
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { runToEnd } from "../../sched/run.ts";
import { VM } from "../../vm/mm.ts";
import { unmapRange } from "../../vm/zap.ts";
import { type CallWorld, NotMade } from "../call-world.ts";
import { writePage } from "./processes.ts";
import { current, type Sentence, sentence, tells } from "./sentence.ts";

export const FILES: readonly Sentence[] = [
  sentence(
    "^NAME (?<count>\\d+) pages MAP_SHARED\\|MAP_ANONYMOUS written on node(?<node>\\d)$",
    (world, { name, count, node }) => void world.mapShmem(name, count, Number(node)),
  ),
  sentence(
    "^/tmp \\(tmpfs\\) file of (?<count>\\d+) pages written on node(?<node>\\d) with pwrite$",
    (world, { count, node }) => void world.mapShmem(world.onlyName, count, Number(node)),
  ),
  tells("^(?:mmap MAP_SHARED RW|each page read)$"),
  sentence("^memfd (?<count>\\d+) pages node(?<node>\\d) mapped$", (world, { count, node }) => {
    world.mapShmem(world.onlyName, count, Number(node));
  }),
  sentence(
    "^memfd (?<count>\\d+) pages on node(?<node>\\d) mapped at M1 and M2, both touched$",
    (world, { count, node }) => {
      const mapping = world.mapShmem("M1", count, Number(node));
      world.mapFile("M2", mapping, Number(count));
    },
  ),
  sentence("^memfd (?<count>\\d+) pages, nothing written$", (world, { count }) => {
    const pages = Number(count);
    world.mapFile(world.onlyName, world.createShmem(pages), pages);
  }),
  sentence("^NAME munmapped$", (world, { name }) => {
    const { mm, startVpn, pages } = world.region(name);
    runToEnd(unmapRange(world.machine.vm, mm, startVpn, startVpn + pages));
  }),
  // Where the pages are by then, and where they are to go, which the call says too.
  tells("^now on node\\d, target \\d$"),
  sentence(
    "^/tmp file (?<count>\\d+) pages node(?<node>\\d)$",
    (world, { count, node }) => void createFile(world, Number(count), Number(node)),
  ),
  sentence("^MAP_PRIVATE$", mapPrivate),
  sentence("^all read, (?<one>\\d+) and (?<other>\\d+) written$", (world, { one, other }) => {
    world.mapPages(current(world));
    for (const page of [one, other]) writePage(world, current(world), Number(page));
  }),
  // The file was written by the caller, so its pages are on node 0. Of those that are there a read
  // maps the sixteen around it, whatever MADV_RANDOM says.
  sentence(
    "^file (?<count>\\d+) pages in cache, mmap shared, MADV_RANDOM, only page 0 read ",
    (world, { count }) => {
      world.mapFile(world.onlyName, createFile(world, Number(count), 0), Number(count));
    },
  ),
  sentence("^/dev/zero mapped private, written node(?<node>\\d)$", (world, { node }) => {
    world.touch(world.map(world.onlyName, undefined), Number(node));
  }),
  sentence("^/dev/zero mapped shared, written node(?<node>\\d)$", (world, { node }) => {
    world.mapShmem(world.onlyName, undefined, Number(node));
  }),
  sentence("^text of the running program, mapped by parent and child$", (world) => {
    const name = world.onlyName;
    const pages = world.sizes.get(name) ?? 1;
    world.mapFile(name, createFile(world, pages, 0), pages, VM.read);
    world.fork("child");
  }),
];

/** A file of tmpfs with all of its pages in the cache. */
function createFile(world: CallWorld, pages: number, node: number): AddressSpace {
  const mapping = world.createShmem(pages);
  const offsets = Array.from({ length: pages }, (_, at) => at);
  world.fillFile(mapping, node, offsets, PG.swapbacked | PG.dirty);
  return mapping;
}

function mapPrivate(world: CallWorld): void {
  const { file, self, machine } = world;
  if (file === null) throw new NotMade("setup", "MAP_PRIVATE", "a file before it");
  const range = { ...world.freeRange(file.pages), pgoff: 0 };
  const vma = machine.vm.mapFilePrivate(self, range, file.mapping);
  world.nameRegion(world.onlyName, { mm: self, startVpn: vma.startVpn, pages: file.pages });
}
