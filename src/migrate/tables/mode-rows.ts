/**
 * What each mode does at each step that may have to wait, as rows that two tests go through.
 *
 * A cell says how the call ends and how often the step refused before: "stays 10" is EAGAIN to the
 * last try, "stays 1" an error for good; "waits 4" sleeps at the fourth refusal, and once it is
 * woken the folio moves; "waits 0" sleeps where it would have refused. Linux 6.1 never waits in a
 * synchronous call before the fourth pass; 6.3 tries three times, or until it is refused for good,
 * by the rules of an asynchronous call, and then waits from the first try on.
 */
import type { Release } from "../../base/profile.ts";
import type { RefusalName } from "../../events/refusals.ts";
import type { MigrateMode } from "../../pagecache/address-space.ts";

export type Step =
  | "lock of src"
  | "lock of src, unread"
  | "lock of src, memalloc"
  | "lock of dst"
  | "writeback"
  | "reference"
  | "lock of a file's buffer"
  | "lock of an unread buffer"
  | "lock of a device's buffer"
  | "count on a device's buffer"
  | "fallback: dirty"
  | "fallback: dirty, fails"
  | "fallback: dirty, no writer"
  | "fallback: private kept"
  | "pool: lock of src"
  | "pool: lock of src, memalloc"
  | "pool: lock of dst"
  | "driver: busy"
  | "driver: refuses"
  | "driver: its own copy"
  | "nothing";

type Cell = `${"moves" | "stays" | "waits"} ${number}`;

/** The step, who refuses there, and what comes of it by mode, in the order of `MODES`. */
type Row = readonly [Step, RefusalName, Cell, Cell, Cell, Cell];

// biome-ignore format: a table is read by its columns
const ROWS_61: readonly Row[] = [
  //                                                async       sync-light  sync        no-copy
  ["nothing",                     "refcount",       "moves 0",  "moves 0",  "moves 0",  "moves 0"],
  ["lock of src",                 "locked",         "stays 10", "waits 4",  "waits 4",  "waits 4"],
  ["lock of src, unread",         "locked",         "stays 10", "waits 4",  "waits 4",  "waits 4"],
  ["lock of src, memalloc",       "locked",         "stays 10", "stays 10", "stays 10", "stays 10"],
  ["lock of dst",                 "dst_locked",     "stays 10", "stays 10", "stays 10", "stays 10"],
  ["writeback",                   "writeback",      "stays 1",  "stays 1",  "waits 4",  "waits 4"],
  ["reference",                   "refcount",       "stays 10", "stays 10", "stays 10", "stays 10"],
  ["lock of a file's buffer",     "buffer_locked",  "stays 10", "waits 0",  "waits 0",  "waits 0"],
  ["lock of an unread buffer",    "buffer_locked",  "stays 10", "waits 0",  "waits 0",  "waits 0"],
  ["lock of a device's buffer",   "buffer_locked",  "stays 10", "waits 0",  "waits 0",  "waits 0"],
  ["count on a device's buffer",  "buffer_held",    "stays 10", "stays 10", "stays 10", "stays 10"],
  ["fallback: dirty",             "private_dirty",  "stays 1",  "stays 1",  "moves 1",  "moves 1"],
  ["fallback: dirty, fails",      "private_dirty",  "stays 1",  "stays 1",  "stays 1",  "stays 1"],
  ["fallback: dirty, no writer",  "private_dirty",  "stays 1",  "stays 1",  "stays 1",  "stays 1"],
  ["fallback: private kept",      "private_busy",   "stays 1",  "stays 1",  "stays 10", "stays 1"],
  ["pool: lock of src",           "locked",         "stays 10", "stays 10", "waits 4",  "waits 4"],
  ["pool: lock of src, memalloc", "locked",         "stays 10", "stays 10", "waits 4",  "waits 4"],
  ["pool: lock of dst",           "dst_locked",     "stays 10", "stays 10", "stays 10", "stays 10"],
  ["driver: busy",                "driver_busy",    "stays 10", "stays 10", "stays 10", "stays 10"],
  ["driver: refuses",             "driver_refuses", "stays 1",  "stays 1",  "stays 1",  "stays 1"],
  ["driver: its own copy",        "driver_refuses", "moves 0",  "moves 0",  "moves 0",  "stays 1"],
];

// biome-ignore format: a table is read by its columns
const ROWS_63: readonly Row[] = [
  //                                                async       sync-light  sync        no-copy
  ["nothing",                     "refcount",       "moves 0",  "moves 0",  "moves 0",  "moves 0"],
  ["lock of src",                 "locked",         "stays 10", "waits 4",  "waits 4",  "waits 4"],
  ["lock of src, unread",         "locked",         "stays 10", "waits 4",  "waits 4",  "waits 4"],
  ["lock of src, memalloc",       "locked",         "stays 10", "stays 10", "stays 10", "stays 10"],
  ["lock of dst",                 "dst_locked",     "stays 10", "stays 10", "stays 10", "stays 10"],
  ["writeback",                   "writeback",      "stays 1",  "stays 2",  "waits 2",  "waits 2"],
  ["reference",                   "refcount",       "stays 10", "stays 10", "stays 10", "stays 10"],
  ["lock of a file's buffer",     "buffer_locked",  "stays 10", "waits 3",  "waits 3",  "waits 3"],
  ["lock of an unread buffer",    "buffer_locked",  "stays 10", "waits 3",  "waits 3",  "waits 3"],
  ["lock of a device's buffer",   "buffer_locked",  "stays 10", "waits 3",  "waits 3",  "waits 3"],
  ["count on a device's buffer",  "buffer_held",    "stays 10", "stays 10", "stays 10", "stays 10"],
  ["fallback: dirty",             "private_dirty",  "stays 1",  "stays 2",  "moves 2",  "moves 2"],
  ["fallback: dirty, fails",      "private_dirty",  "stays 1",  "stays 2",  "stays 2",  "stays 2"],
  ["fallback: dirty, no writer",  "private_dirty",  "stays 1",  "stays 2",  "stays 2",  "stays 2"],
  ["fallback: private kept",      "private_busy",   "stays 1",  "stays 2",  "stays 8",  "stays 2"],
  ["pool: lock of src",           "locked",         "stays 10", "stays 10", "waits 4",  "waits 4"],
  ["pool: lock of src, memalloc", "locked",         "stays 10", "stays 10", "waits 4",  "waits 4"],
  ["pool: lock of dst",           "dst_locked",     "stays 10", "stays 10", "stays 10", "stays 10"],
  ["driver: busy",                "driver_busy",    "stays 10", "stays 10", "stays 10", "stays 10"],
  ["driver: refuses",             "driver_refuses", "stays 1",  "stays 2",  "stays 2",  "stays 2"],
  // Its first, asynchronous, try may copy: what the caller wanted is known to the second alone.
  ["driver: its own copy",        "driver_refuses", "moves 0",  "moves 0",  "moves 0",  "moves 0"],
];

/** Where 6.18 differs from 6.3: in sync-light it waits for no read, and it writes nothing out. */
// biome-ignore format: a table is read by its columns
const ROWS_618: readonly Row[] = [
  //                                                async       sync-light  sync        no-copy
  ["lock of src, unread",         "locked",         "stays 10", "stays 10", "waits 4",  "waits 4"],
  ["lock of an unread buffer",    "buffer_locked",  "stays 10", "stays 10", "waits 3",  "waits 3"],
  ["fallback: dirty",             "private_dirty",  "stays 1",  "stays 2",  "stays 2",  "stays 2"],
];

/** One cell of the table. */
export interface ModeCell {
  readonly release: Release;
  readonly step: Step;
  readonly mode: MigrateMode;
  readonly ends: "moves" | "stays" | "waits";
  readonly refusal: RefusalName;
  readonly refusals: number;
}

/** Every cell of the tables of all releases. */
export function modeCells(): ModeCell[] {
  return [
    ...ROWS_61.flatMap((row) => cellsOf("6.1", row)),
    ...ROWS_63.flatMap((row) => cellsOf("6.3", row)),
    ...ROWS_63.flatMap((row) => cellsOf("6.18", ROWS_618.find(([step]) => step === row[0]) ?? row)),
  ];
}

function cellsOf(release: Release, [step, refusal, ...cells]: Row): ModeCell[] {
  const modes: readonly MigrateMode[] = ["async", "sync-light", "sync", "sync-no-copy"];
  return modes.map((mode, at) => {
    const [ends, refusals] = cells[at].split(" ");
    return { release, step, mode, ends: ends as ModeCell["ends"], refusal, refusals: +refusals };
  });
}
