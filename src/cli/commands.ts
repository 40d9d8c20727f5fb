/**
 * All commands, in the order in which the help lists them. A module is loaded when it is wanted.
 */
import type { CommandTable } from "./command.ts";

export const COMMANDS: CommandTable = {
  look: {
    summary: "show what a machine's memory holds, from a snapshot of it",
    load: async () => (await import("./look.ts")).look,
  },
};
