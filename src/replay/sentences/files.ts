/** Sentences about shared memory and files: shared anonymous, memfd, tmpfs. */
import { type Sentence, sentence } from "./sentence.ts";

export const FILES: readonly Sentence[] = [
  sentence(
    "^NAME (?<count>\\d+) pages MAP_SHARED\\|MAP_ANONYMOUS written on node(?<node>\\d)$",
    (world, { name, count, node }) => void world.mapShmem(name, count, Number(node)),
  ),
  sentence(
    "^/tmp \\(tmpfs\\) file of (?<count>\\d+) pages written on node(?<node>\\d) with pwrite$",
    (world, { count, node }) => void world.mapShmem(world.onlyName, count, Number(node)),
  ),
  sentence("^(?:mmap MAP_SHARED RW|each page read)$", () => {}),
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
];
