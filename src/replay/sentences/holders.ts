/**
 * Sentences about who holds references to pages, and gives them back: registered buffers of a
 * ring, pipes.
 */
import { PAGE_SIZE } from "../../memory/constants.ts";
import { type Sentence, sentence } from "./sentence.ts";

const PIPE = "pipe";

export const HOLDERS: readonly Sentence[] = [
  sentence(
    "^(?:(?:io_uring_register|pin|REGISTER_BUFFERS)[ (]+(?:REGISTER_BUFFERS, )?)" +
      "NAME\\[(?<page>\\d+)\\]\\)? ?(?:=0|= 0|\\(=0\\))(?: \\(io_uring fd \\d\\))?$",
    (world, { name, page }) => {
      world.pin(world.folioAt(name, Number(page)));
    },
  ),
  sentence(
    "^vmsplice\\(NAME\\[(?<from>\\d+)\\.\\.(?<to>\\d+)\\]\\) = \\d+$",
    (world, { name, from, to }) => {
      for (let at = Number(from); at <= Number(to); at++)
        world.hold(PIPE, world.folioAt(name, at), 1);
    },
  ),
  sentence("^splice\\((?<count>\\d+) pages to pipe\\) = \\d+$", (world, { count }) => {
    for (let at = 0; at < Number(count); at++)
      world.hold(PIPE, world.folioAt(world.onlyName, at), 1);
  }),
  // The wait is for the ring's own worker, which drops the buffers.
  sentence("^io_uring fd closed, \\d+ ms later$", (world) => world.unpin()),
  sentence("^read (?<bytes>\\d+) bytes from the pipe$", (world, { bytes }) => {
    world.release(PIPE, Number(bytes) / PAGE_SIZE);
  }),
];
