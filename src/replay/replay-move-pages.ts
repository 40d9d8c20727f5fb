/**
 * Runs a recorded move_pages(2) on a machine of the recorded shape and compares the answers.
 *
 * Compared are the return value, the errno, the status of every entry, the number of trace lines
 * (which tells how often a move was tried) and the migration's counters. Every page's contents are
 * verified too.
 */
import type { Errno } from "../base/errno.ts";
import { ERRNO } from "../base/errno.ts";
import { InputError } from "../base/input-error.ts";
import { MPOL_MF, movePages } from "../callers/move-pages/move-pages.ts";
import { userInput, userOutput } from "../callers/move-pages/user-array.ts";
import { TraceLines } from "../events/events.ts";
import { fillContents, verifyContents } from "../machine/contents.ts";
import { checkInvariants } from "../machine/invariants.ts";
import { teardown } from "../machine/teardown.ts";
import { runToEnd } from "../sched/run.ts";
import type { Mm } from "../vm/mm.ts";
import { credentialsOf } from "../vm/process.ts";
import {
  type CallOutcome,
  type CallRecord,
  JUDGED_COUNTER,
  type RecordedCall,
} from "./call-record.ts";
import { CallWorld } from "./call-world.ts";
import type { RecordResult } from "./result.ts";
import { setUp } from "./sentences/set-up.ts";

/** What a record's status holds where the kernel wrote nothing. */
const UNTOUCHED = -9999;
const SEED = 1;

const FLAG_VALUES: Readonly<Record<string, number>> = {
  MPOL_MF_STRICT: 0x1,
  MPOL_MF_MOVE: MPOL_MF.move,
  MPOL_MF_MOVE_ALL: MPOL_MF.moveAll,
  MPOL_MF_LAZY: 0x8,
};

/** Processes that are the caller itself, and those that do not exist. */
const SELF: ReadonlySet<string> = new Set(["self", "self(parent)", "own pid"]);
const NOBODY: ReadonlySet<string> = new Set(["999999 (none)", "-1"]);

export function replayMovePages(record: CallRecord, area: string): RecordResult {
  const { id, call, outcome } = record;
  const cannot = (why: string): RecordResult => {
    return { id, area, result: "cannot", expected: outcome, got: null, why };
  };
  if (call === null || call.fn !== "move_pages") return cannot("no move_pages call in it");
  const isNobody = NOBODY.has(call.pid);
  if (!SELF.has(call.pid) && !isNobody && call.pid !== "child") {
    return cannot(`no such process yet: ${call.pid}`);
  }
  if (call.pages.length !== call.count && !isNobody) return cannot("its addresses are not told");
  const world = new CallWorld(sizesOf(call));
  const unknown = setUpAll(world, record.setup);
  if (unknown !== null) return cannot(unknown);
  const pages = call.pages.map((address) => world.pageOf(address));
  const nameless = pages.indexOf(null);
  if (nameless !== -1) return cannot(`no line of setup makes ${call.pages[nameless]}`);
  const mm = isNobody ? null : call.pid === "child" ? world.child : world.self;
  if (mm === null && !isNobody) return cannot("no line of setup makes the child");
  const got = run(world, mm, call, pages as number[]);
  const why = outcome === null ? "" : difference(outcome, got);
  const result = outcome === null ? "unknown" : why === "" ? "agree" : "differ";
  return { id, area, result, expected: outcome, got, why };
}

/** Why the lines cannot be followed, or null. */
function setUpAll(world: CallWorld, lines: readonly string[]): string | null {
  try {
    const unknown = lines.find((line) => !setUp(world, line));
    return unknown === undefined ? null : `a line of setup that is not known: ${unknown}`;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/** Makes the call, proves that nothing was lost and takes the world down. */
function run(
  world: CallWorld,
  mm: Mm | null,
  call: RecordedCall,
  pages: readonly number[],
): CallOutcome {
  const { machine } = world;
  const { events } = machine.mem;
  const filled = fillContents(machine, SEED);
  const before = events.vmstat.snapshot();
  const trace = new TraceLines();
  const status = new Int32Array(pages.length).fill(UNTOUCHED);
  events.trace = trace;
  const caller = machine.processes.create("self", world.self, credentialsOf(0));
  const target = mm === null ? null : machine.processes.create(call.pid, mm, credentialsOf(0));
  const { value, errno } = runToEnd(
    movePages(machine.vm, machine.processes, {
      caller,
      pid: target?.pid ?? Number.parseInt(call.pid, 10),
      nrPages: call.count,
      pages: userInput(pages),
      nodes: call.nodes === null ? null : userInput(call.nodes),
      flags: flagsOf(call.flags),
      status: userOutput(status),
    }),
  );
  events.trace = null;
  const delta = Object.entries(events.vmstat.snapshot())
    .map(([name, count]) => [name, count - before[name as keyof typeof before]] as const)
    .filter(([name, count]) => JUDGED_COUNTER.test(name) && count !== 0);
  checkInvariants(machine);
  const { mismatched } = verifyContents(machine, SEED, filled);
  teardown(machine);
  return {
    ret: value,
    errno: mismatched > 0 ? `${mismatched} pages with wrong contents` : (errno ?? ""),
    status_rle: runsOf(status),
    trace_lines_total: trace.lines.length,
    vmstat_delta: Object.fromEntries(delta),
  };
}

/** "" if all that is judged is equal. */
function difference(expected: CallOutcome, got: CallOutcome): string {
  const keys = ["ret", "errno", "status_rle", "trace_lines_total", "vmstat_delta"] as const;
  const wrong = keys.filter((key) => canonical(expected[key]) !== canonical(got[key]));
  return wrong
    .map((key) => `${key}: the kernel's ${canonical(expected[key])}, ours ${canonical(got[key])}`)
    .join("; ");
}

/** JSON with the keys in order. */
function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(value);
  }
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => a.localeCompare(b)));
}

function runsOf(status: Int32Array): [number, number, string][] {
  const runs: [number, number, string][] = [];
  for (const value of status) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] === value) last[1]++;
    else runs.push([value, 1, statusName(value)]);
  }
  return runs;
}

function statusName(value: number): string {
  if (value >= 0) return "node";
  if (value === UNTOUCHED) return "UNTOUCHED";
  const names = Object.keys(ERRNO) as Errno[];
  return names.find((name) => ERRNO[name] === -value) ?? String(value);
}

function flagsOf(text: string): number {
  return text
    .split("|")
    .map((flag) => FLAG_VALUES[flag] ?? Number(flag))
    .reduce((sum, flag) => sum | flag, 0);
}

/** By region: how many pages the call needs it to have. */
function sizesOf(call: RecordedCall): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const address of call.pages) {
    const match = /^(\w+)\[(\d+)\]/.exec(address);
    if (match === null) continue;
    sizes.set(match[1], Math.max(sizes.get(match[1]) ?? 0, Number(match[2]) + 1));
  }
  return sizes;
}
