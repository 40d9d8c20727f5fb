/** Sentences about a node that somebody has filled. */
import { type CallWorld, NotMade } from "../call-world.ts";
import { type Sentence, sentence } from "./sentence.ts";

const PAGES_PER_MIB = 256;
/** The region that fills a node. */
const HOG = "HOG";

export const SHORTAGE: readonly Sentence[] = [
  // How many pages that took depends on what the kernel had there; how many are left decides.
  sentence(
    "^hog filled node(?<node>\\d) to ~(?<mib>\\d+) MB free with \\d+ unreclaimable anon pages$",
    (world, { node, mib }) => fill(world, Number(node), Number(mib) * PAGES_PER_MIB),
  ),
  sentence("^node\\d full(?:, no free huge pages there)?$", (world) => {
    if (world.memoryIsShort) return;
    throw new NotMade("setup", "a node that is full", "a line that fills it");
  }),
];

function fill(world: CallWorld, node: number, left: number): void {
  let free = 0;
  for (const zone of world.machine.mem.nodes[node].zones) free += zone.freePages;
  world.touch(world.map(HOG, String(free - left)), node);
  world.memoryIsShort = true;
}
