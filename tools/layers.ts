/**
 * The architecture, as a table: each room beside the rooms directly below it.
 *
 * A room may import itself, the rooms named beside it, and all below those; tests in a room too,
 * and types count. Read it from the top to meet the program from the bottom.
 * `rules/imports.test.ts` keeps it true.
 */
export const directlyBelow: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sched: ["base"],
  events: ["sched"],
  memory: ["events"],
  pagecache: ["memory"],
  vm: ["pagecache"],
  migrate: ["vm"],
  // Callers ask, owners give up: the three do not see one another.
  callers: ["migrate"],
  fs: ["migrate"],
  drivers: ["migrate"],
  machine: ["callers", "fs", "drivers"],
  snapshot: ["machine"],
  lab: ["snapshot"],
  replay: ["snapshot"],
  // Runs scenarios from files, on the threads of this computer.
  host: ["lab"],
  report: ["lab", "replay"],
  cli: ["report", "host"],
  // What the package exports: a file for each entry, which re-exports and does nothing.
  library: ["host"],
  // Not in src/ but beside it.
  web: ["report"],
};

/** The rooms that need Node. All others run in a browser as they are and import no package. */
export const roomsWithNode: readonly string[] = ["host", "cli"];

/** Every room that `room` may import, itself included. */
export function roomsSeenBy(room: string): ReadonlySet<string> {
  const seen = new Set([room]);
  for (const each of seen) for (const below of directlyBelow[each] ?? []) seen.add(below);
  return seen;
}
