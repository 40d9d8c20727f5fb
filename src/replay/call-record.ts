/**
 * A recorded system call: how the world was made, the call, and what the kernel answered.
 *
 * Addresses are symbolic (`A[3]`, `A[0]+123`) or raw. `outcome` is null where it was withheld.
 */
import { InputError } from "../base/input-error.ts";

export interface CallRecord {
  readonly id: string;
  readonly setup: readonly string[];
  readonly call: RecordedCall | null;
  readonly outcome: CallOutcome | null;
}

export interface RecordedCall {
  readonly fn: string;
  readonly pid: string;
  readonly flags: string;
  /** Entries that the call was given. */
  readonly count: number;
  /** Addresses as recorded, one an entry. */
  readonly pages: readonly string[];
  /** By entry, or null: the call only asks. */
  readonly nodes: readonly number[] | null;
}

/** What is compared, in the records' own form. */
export interface CallOutcome {
  readonly ret: number;
  /** "" unless `ret` is -1. */
  readonly errno: string;
  /** Runs of equal status: value, count, name. */
  readonly status_rle: readonly (readonly [number, number, string])[];
  readonly trace_lines_total: number;
  readonly vmstat_delta: Readonly<Record<string, number>>;
}

/** Counters that are judged; others are printed only. */
export const JUDGED_COUNTER: RegExp = /^(pgmigrate|thp|htlb|unevictable)_/;

/** Reads one entry of a list of records. Throws `InputError` for what is no record. */
export function readCallRecord(place: string, json: unknown): CallRecord {
  const record = asObject(place, json);
  const { id, setup, call, outcome } = record;
  if (typeof id !== "string") throw new InputError(place, "a record without an id", "one");
  return {
    id,
    setup: Array.isArray(setup) ? setup.map(String) : [],
    call: call === undefined ? null : readCall(place, asObject(place, call)),
    outcome: outcome === "withheld" || !("ret" in record) ? null : readOutcome(record),
  };
}

function readCall(place: string, call: Record<string, unknown>): RecordedCall {
  const count = Number(call["nr_pages"] ?? 0);
  return {
    fn: String(call["fn"]),
    pid: String(call["pid"]),
    flags: String(call["flags"]),
    count,
    pages: readPages(place, call, count),
    nodes: call["nodes_rle"] === undefined ? null : expand(call["nodes_rle"]),
  };
}

/** The addresses; of long lists the records keep the first and the last. */
function readPages(place: string, call: Record<string, unknown>, count: number): string[] {
  const { pages, pages_first: first } = call;
  if (Array.isArray(pages)) return pages.map(String);
  const match = /^(\w+)\[(\d+)\]$/.exec(String(first));
  if (match === null) {
    if (count === 0) return [];
    throw new InputError(place, `pages from ${String(first)}`, "NAME[INDEX]");
  }
  return Array.from({ length: count }, (_, at) => `${match[1]}[${Number(match[2]) + at}]`);
}

function readOutcome(record: Record<string, unknown>): CallOutcome {
  const delta = Object.entries((record["vmstat_delta"] ?? {}) as Record<string, number>);
  return {
    ret: Number(record["ret"]),
    errno: String(record["errno"] ?? ""),
    status_rle: (record["status_rle"] ?? []) as CallOutcome["status_rle"],
    trace_lines_total: Number(record["trace_lines_total"] ?? 0),
    vmstat_delta: Object.fromEntries(delta.filter(([name]) => JUDGED_COUNTER.test(name))),
  };
}

function expand(runs: unknown): number[] {
  return (runs as [number, number][]).flatMap(([value, count]) =>
    Array.from({ length: count }, () => value),
  );
}

function asObject(place: string, json: unknown): Record<string, unknown> {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    return json as Record<string, unknown>;
  }
  throw new InputError(place, "no object", "a record");
}
