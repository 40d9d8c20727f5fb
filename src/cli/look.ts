/**
 * `godwit look`: what the memory of a machine holds, from a snapshot of it.
 */
import { openSnapshot } from "../host/open-snapshot.ts";
import { packageFile } from "../host/package-root.ts";
import { lookAt } from "../report/look.ts";
import { lookText } from "../report/look-text.ts";
import type { Command } from "./command.ts";

/** The snapshot that the package ships: see snapshots/README.md. */
const BUNDLED = "snapshots/slab-s2.tar.gz";
const LEAST_WIDTH = 60;
const MOST_WIDTH = 1000;
/** Wider maps of memory are harder to read, not easier, unless asked for. */
const WIDEST_BY_ITSELF = 120;
const WIDTH_OF_NO_TERMINAL = 100;

export const look: Command = {
  usage: {
    command: "look",
    summary: "Shows what a machine's memory holds, from a snapshot of it",
    positionals: "[SNAPSHOT]",
    maxPositionals: 1,
    flags: {
      side: {
        type: "string",
        choices: ["before", "after"],
        help: "which side of a pair (default: before)",
      },
      width: { type: "string", value: "N", help: "characters in a line (default: the terminal's)" },
    },
    details:
      "SNAPSHOT is a directory, a .tar.gz or a folder in one (pair.tar.gz/NAME/after) with at least\n" +
      "kpageflags and zoneinfo in it, or /proc itself when run as root. Without it, the snapshot that\n" +
      "the package ships.",
  },
  async run(options, { out }) {
    const side = options.text("side") === "after" ? "after" : "before";
    const width = options.count("width", LEAST_WIDTH, MOST_WIDTH);
    const path = options.positionals[0] ?? packageFile(BUNDLED);
    const sideAsked = options.text("side") !== null;
    const { snapshot } = await openSnapshot(path, sideAsked ? { side } : {});
    const answer = lookAt(snapshot);
    if (options.has("json")) {
      out.write(`${JSON.stringify(answer)}\n`);
      return 0;
    }
    const own = out.isTerminal ? Math.min(out.columns, WIDEST_BY_ITSELF) : WIDTH_OF_NO_TERMINAL;
    const style = { width: width ?? own, colour: out.colour };
    const lines = lookText(answer, snapshot.kind, style);
    out.write(lines.map((line) => `${line.trimEnd()}\n`).join(""));
    return 0;
  },
};
