/** Sentences about shared memory and files: shared anonymous, memfd, tmpfs. */
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { runToEnd } from "../../sched/run.ts";
import { VM } from "../../vm/mm.ts";
import { unmapRange } from "../../vm/zap.ts";
import { type CallWorld, NotMade } from "../call-world.ts";
import { usePages, writeFile } from "../world-files.ts";
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
      const { mm, startVpn, pages } = world.mapFile("M2", mapping, Number(count));
      usePages(world.machine.vm, mm, startVpn, pages, "read");
    },
  ),
  sentence("^memfd (?<count>\\d+) pages, nothing written$", (world, { count }) => {
    const pages = Number(count);
    world.mapFile(world.onlyName, world.createFile(pages).mapping, pages);
  }),
  sentence("^NAME munmapped$", (world, { name }) => {
    const { mm, startVpn, pages } = world.region(name);
    runToEnd(unmapRange(world.machine.vm, mm, startVpn, startVpn + pages));
  }),
  // Where the pages are by then, and where they are to go, which the call says too.
  tells("^now on node\\d, target \\d$"),
  sentence(
    "^/tmp file (?<count>\\d+) pages node(?<node>\\d)$",
    (world, { count, node }) => void writtenFile(world, Number(count), Number(node)),
  ),
  sentence("^MAP_PRIVATE$", mapPrivate),
  sentence("^all read, (?<one>\\d+) and (?<other>\\d+) written$", (world, { one, other }) => {
    const { vm } = world.machine;
    const { mm, startVpn, pages } = current(world);
    usePages(vm, mm, startVpn, pages, "read");
    for (const page of [one, other]) usePages(vm, mm, startVpn + Number(page), 1, "write");
  }),
  // The file was written by the caller, so its pages are on node 0. Of those that are there a read
  // maps the sixteen around it, whatever MADV_RANDOM says.
  sentence(
    "^file (?<count>\\d+) pages in cache, mmap shared, MADV_RANDOM, only page 0 read ",
    (world, { count }) => {
      const mapping = writtenFile(world, Number(count), 0);
      const { mm, startVpn } = world.mapFile(world.onlyName, mapping, Number(count));
      usePages(world.machine.vm, mm, startVpn, 1, "read");
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
    const { mm, startVpn } = world.mapFile(name, writtenFile(world, pages, 0), pages, VM.read);
    usePages(world.machine.vm, mm, startVpn, pages, "read");
    world.fork("child");
  }),
];

/** A file of tmpfs with all of its pages in the cache. */
function writtenFile(world: CallWorld, pages: number, node: number): AddressSpace {
  const { mapping } = world.createFile(pages);
  writeFile(world.machine.vm, mapping, pages, node);
  return mapping;
}

function mapPrivate(world: CallWorld): void {
  const { file, self, machine } = world;
  if (file === null) throw new NotMade("setup", "MAP_PRIVATE", "a file before it");
  const range = { ...world.freeRange(file.pages), pgoff: 0 };
  const vma = machine.vm.mapFilePrivate(self, range, file.mapping);
  world.nameRegion(world.onlyName, { mm: self, startVpn: vma.startVpn, pages: file.pages });
}
