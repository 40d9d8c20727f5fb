/**
 * All commands, in the order in which the help lists them. A module is loaded when it is wanted.
 */
import type { CommandTable } from "./command.ts";

export const COMMANDS: CommandTable = {
  start: {
    summary: "compact the bundled snapshot of a real machine and write a report",
    load: async () => (await import("./compact.ts")).start,
  },
  look: {
    summary: "show what a machine's memory holds, from a snapshot of it",
    load: async () => (await import("./look.ts")).look,
  },
  compact: {
    summary: "compact a snapshot's memory and prove that nothing was lost",
    load: async () => (await import("./compact.ts")).compact,
  },
  explore: {
    summary: "run scenarios under every schedule, and find the mistakes beside them",
    load: async () => (await import("./explore.ts")).explore,
  },
  new: {
    summary: "begin an owner of pages or a driver of your own, with a scenario",
    load: async () => (await import("./new.ts")).newFiles,
  },
  records: {
    summary: "replay what a real kernel was recorded doing, and compare",
    load: async () => (await import("./records.ts")).records,
  },
  accuracy: {
    summary: "compare our compaction with the kernel's own on real snapshots",
    load: async () => (await import("./accuracy.ts")).accuracy,
  },
};
