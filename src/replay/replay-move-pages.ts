/**
 * Replays recorded move_pages(2) calls, one after another, in the worlds that they were made in.
 *
 * A record begins a new world, and its setup makes what it needs. Three kinds go on in the world
 * that the record before it in the list has left: one whose setup makes nothing, one that says
 * "as before" or "as" another, and one about things that it did not make. Where the pages are then
 * not as the record saw them before its call, "as before" meant to make them again, and a new
 * world follows the earlier record's lines. A world is torn down, which proves that nothing
 * leaked, when the next one begins.
 *
 * An outcome is compared by what the record has of it. Where it depends on how many frames happen
 * to be free, only what the call returns is.
 */
import { InputError } from "../base/input-error.ts";
import { type MovePagesCall, movePages } from "../callers/move-pages/move-pages.ts";
import { TraceLines } from "../events/events.ts";
import { fillContents, verifyContents } from "../machine/contents.ts";
import { checkInvariants } from "../machine/invariants.ts";
import { teardown } from "../machine/teardown.ts";
import { runToEnd } from "../sched/run.ts";
import { callArguments } from "./call-arguments.ts";
import { type CallOutcome, type CallRecord, judged, type RecordedCall } from "./call-record.ts";
import { firstOf, runsOf } from "./call-status.ts";
import { CallWorld, NotMade } from "./call-world.ts";
import { makeUntold, settleBatches, stateDifference } from "./page-states.ts";
import type { RecordResult } from "./result.ts";
import { describe, makesNothing, setUp } from "./sentences/set-up.ts";
import { mapKernelParts } from "./sentences/special.ts";

const SEED = 1;
/** Events of the system `thp`: the records have those of the system `migrate` alone. */
const IN_THP_SYSTEM = /^(?:set|remove)_migration_pmd:/;

/** The records of one list, by their place in it. */
export class MovePagesReplay {
  private readonly records: readonly CallRecord[];
  private readonly area: string;
  /** What the last record that ran has left; null if it could not. */
  private world: CallWorld | null = null;
  private lastRun = -1;

  constructor(records: readonly CallRecord[], area: string) {
    this.records = records;
    this.area = area;
  }

  /** Replays the record at `at`, and those before it first if its world is theirs. */
  replay(at: number): RecordResult {
    const record = this.records[at];
    const { id, call, outcome } = record;
    const expected = outcome === "withheld" ? null : outcome;
    const cannot = (why: string): RecordResult => {
      return { id, area: this.area, result: "cannot", expected, got: null, why };
    };
    if (outcome === null) return cannot("it has no outcome, and its setup failed");
    if (call.fn !== "move_pages") return cannot(`no such call here yet: ${call.fn}`);
    const made = this.makeWorld(at);
    this.lastRun = at;
    if (typeof made === "string") {
      this.world = null;
      return cannot(made);
    }
    const { world, request } = made;
    this.world = world;
    const got = run(world, request);
    if (outcome === "withheld") {
      return { id, area: this.area, result: "unknown", expected, got, why: "" };
    }
    const why = difference(outcome, got, world.memoryIsShort);
    const result = why === "" ? "agree" : "differ";
    return { id, area: this.area, result, expected, got, why };
  }

  /** Ends the last world. Throws where something leaked. */
  close(): void {
    if (this.world !== null) teardown(this.world.machine);
    this.world = null;
  }

  /** The world that the record was made in, or why there is none. */
  private makeWorld(at: number): Made | string {
    const record = this.records[at];
    const asOther = /^as (before|[\w.]+)(?:, (.*))?$/.exec(record.setup[0] ?? "");
    if (asOther !== null) {
      const rest = [asOther[2] ?? "", ...record.setup.slice(1)];
      const kept = this.goOn(at, rest);
      return typeof kept === "string" ? this.startNew(record, this.linesOf(at)) : kept;
    }
    if (record.setup.every(makesNothing)) {
      const kept = this.goOn(at, record.setup);
      return typeof kept === "string" ? this.startNew(record, record.setup) : kept;
    }
    const fresh = tryToMake(newWorld(), record, record.setup);
    if (fresh instanceof NotMade) return this.goOn(at, record.setup);
    return typeof fresh === "string" ? fresh : this.keep(fresh);
  }

  /** Goes on in the world of the record before. */
  private goOn(at: number, lines: readonly string[]): Made | string {
    if (at === 0) return "there is no record before it";
    if (this.lastRun !== at - 1) this.replay(at - 1);
    if (this.world === null) return "the record before it could not be replayed";
    const made = tryToMake(this.world, this.records[at], lines);
    return made instanceof NotMade ? made.message : made;
  }

  private startNew(record: CallRecord, lines: readonly string[]): Made | string {
    const made = tryToMake(newWorld(), record, lines);
    if (made instanceof NotMade) return made.message;
    return typeof made === "string" ? made : this.keep(made);
  }

  /** A new world takes the place of the one before. */
  private keep(made: Made): Made {
    this.close();
    return made;
  }

  /** The lines of setup, those of records that they name written out. */
  private linesOf(at: number): string[] {
    const { setup } = this.records[at];
    const asOther = /^as (before|[\w.]+)(?:, (.*))?$/.exec(setup[0] ?? "");
    if (asOther === null) return [...setup];
    const named = this.records.findIndex(({ id }) => id === asOther[1]);
    const other = asOther[1] === "before" ? at - 1 : named;
    const before = other >= 0 && other < at ? this.linesOf(other) : [];
    return [...before, asOther[2] ?? "", ...setup.slice(1)];
  }
}

function newWorld(): CallWorld {
  const world = new CallWorld();
  mapKernelParts(world);
  return world;
}

interface Made {
  readonly world: CallWorld;
  readonly request: MovePagesCall;
}

/** The world with all that the record says made in it; or what it lacks, or why it is another. */
function tryToMake(
  world: CallWorld,
  record: CallRecord,
  lines: readonly string[],
): Made | NotMade | string {
  const { call, before, description } = record;
  world.begin(sizesOf(call));
  try {
    const unknown = lines.find((line) => !setUp(world, line));
    if (unknown !== undefined) return `a line of setup that is not known: ${unknown}`;
    describe(world, description);
    makeUntold(world, before);
    const request = callArguments(world, call);
    const { caller, pid } = request;
    const target = pid === 0 ? caller : world.machine.processes.find(pid);
    const mm = target?.mm ?? null;
    const wrong = stateDifference(world, mm, before);
    if (wrong !== null) return wrong;
    settleBatches(world, mm, before);
    return { world, request };
  } catch (error) {
    if (error instanceof NotMade) return error;
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/** Makes the call, and proves that nothing was lost. */
function run({ machine }: CallWorld, request: MovePagesCall): CallOutcome {
  const { events } = machine.mem;
  const filled = fillContents(machine, SEED);
  const before = events.vmstat.snapshot();
  const trace = new TraceLines();
  events.trace = trace;
  const { value, errno } = runToEnd(movePages(machine.vm, machine.processes, request));
  events.trace = null;
  const changes = Object.entries(events.vmstat.snapshot()).map(
    ([name, count]) => [name, count - before[name as keyof typeof before]] as const,
  );
  checkInvariants(machine);
  const { mismatched } = verifyContents(machine, SEED, filled);
  return {
    ret: value,
    errno: mismatched > 0 ? `${mismatched} pages with wrong contents` : (errno ?? ""),
    status_rle: runsOf(toldStatuses(request)),
    trace_lines_total: trace.lines.filter((line) => !IN_THP_SYSTEM.test(line)).length,
    vmstat_delta: judged(changes),
  };
}

/** Of a status that does not cover the call, what there is of the entries that name a page. */
function toldStatuses({ nrPages, pages, status }: MovePagesCall): Int32Array {
  const { values, mapped } = status;
  return values.subarray(0, mapped >= nrPages ? nrPages : Math.min(mapped, pages.values.length));
}

/** "" if all that is judged is equal. */
function difference(expected: CallOutcome, got: CallOutcome, onlyReturn: boolean): string {
  const keys = onlyReturn
    ? (["ret", "errno"] as const)
    : (["ret", "errno", "status_rle", "trace_lines_total", "vmstat_delta"] as const);
  const wrong = keys.filter((key) => {
    return expected[key] !== undefined && canonical(expected[key]) !== canonical(gotOf(key));
  });
  return wrong
    .map((key) => {
      return `${key}: the kernel's ${canonical(expected[key])}, ours ${canonical(gotOf(key))}`;
    })
    .join("; ");

  // A record may have seen only the first statuses.
  function gotOf(key: (typeof keys)[number]): unknown {
    if (key !== "status_rle") return got[key];
    const seen = (expected.status_rle ?? []).reduce((sum, [, count]) => sum + count, 0);
    return firstOf(got.status_rle ?? [], seen);
  }
}

/** JSON with the keys in order. */
function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(value);
  }
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => a.localeCompare(b)));
}

/** By region: how many pages the call needs it to have. */
function sizesOf({ pages }: RecordedCall): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const address of pages ?? []) {
    const match = /^(\w+)\[(\d+)\]/.exec(address);
    if (match === null) continue;
    sizes.set(match[1], Math.max(sizes.get(match[1]) ?? 0, Number(match[2]) + 1));
  }
  return sizes;
}
