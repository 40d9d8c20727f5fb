/** Sentences about who holds references to pages: registered buffers and pipes. */
import { type Sentence, sentence } from "./sentence.ts";

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
      for (let at = Number(from); at <= Number(to); at++) world.hold(world.folioAt(name, at), 1);
    },
  ),
  sentence("^splice\\((?<count>\\d+) pages to pipe\\) = \\d+$", (world, { count }) => {
    for (let at = 0; at < Number(count); at++) world.hold(world.folioAt(world.onlyName, at), 1);
  }),
];
