/**
 * A recorded system call: how the world was made, the call, and what the kernel answered.
 *
 * Addresses are symbolic (`A[3]`, `A[0]+123`) or raw. A part of the call that the record does not
 * tell is null. Of an outcome only what was recorded is there; it is "withheld" where somebody else
 * has it, and null where nobody does.
 */
import { InputError } from "../base/input-error.ts";
import { runsOf } from "./call-status.ts";

export interface CallRecord {
  readonly id: string;
  readonly description: string;
  readonly setup: readonly string[];
  readonly call: RecordedCall;
  /** Pages as they were before the call; some only, where there are many. */
  readonly before: readonly PageState[];
  readonly outcome: CallOutcome | "withheld" | null;
}

export interface RecordedCall {
  readonly fn: string;
  readonly pid: string;
  readonly flags: string;
  /** Entries that the call was given. */
  readonly count: number | null;
  /** Addresses as recorded, one an entry. */
  readonly pages: readonly string[] | null;
  /** By entry; "query" if the call only asks. */
  readonly nodes: readonly number[] | "query" | null;
}

/** One page of a process, as /proc tells. */
export interface PageState {
  readonly page: string;
  readonly state: string;
  /** Null unless the page is present, as is the count. */
  readonly node: number | null;
  readonly mapcount: number | null;
  /** Names of KPF flags. */
  readonly flags: ReadonlySet<string>;
}

/** What is compared, in the records' own form. */
export interface CallOutcome {
  readonly ret: number;
  /** "" unless `ret` is -1. */
  readonly errno: string;
  /** Runs of equal status: value, count, name. */
  readonly status_rle?: readonly StatusRun[];
  readonly trace_lines_total?: number;
  readonly vmstat_delta?: Readonly<Record<string, number>>;
}

export type StatusRun = readonly [value: number, count: number, name: string];

/** Counters that are judged; others are printed only. */
const JUDGED_COUNTER = /^(pgmigrate|thp|htlb|unevictable)_/;

/** Reads one entry of a list of records. Throws `InputError` for what is no record. */
export function readCallRecord(place: string, json: unknown): CallRecord {
  const record = asObject(place, json);
  const { id, desc, setup, call, before } = record;
  if (typeof id !== "string") throw new InputError(place, "a record without an id", "one");
  return {
    id,
    description: String(desc ?? ""),
    setup: Array.isArray(setup) ? setup.map(String) : [],
    call: readCall(place, asObject(place, call ?? {}), record["nr_pages"]),
    before: Array.isArray(before) ? before.map((page) => readPage(place, page)) : [],
    outcome: readOutcome(record),
  };
}

/** A call of which the record tells nothing is one that moves the caller's own pages. */
function readCall(place: string, call: Record<string, unknown>, nrPages: unknown): RecordedCall {
  const count = call["nr_pages"] ?? nrPages ?? null;
  const pages = readPages(place, call);
  const isTold = "fn" in call;
  const { nodes, nodes_rle: runs } = call;
  const list = Array.isArray(runs) && (runs.length > 0 || count === 0) ? expand(runs) : null;
  return {
    fn: String(call["fn"] ?? "move_pages"),
    pid: String(call["pid"] ?? "self"),
    flags: String(call["flags"] ?? "MPOL_MF_MOVE"),
    count: count === null ? null : asUnsigned(Number(count)),
    pages: pages.length === 0 && count !== 0 ? null : pages,
    nodes: isTold && nodes === null ? "query" : list,
  };
}

/** Counts are C's `unsigned long`, printed as signed ones. */
function asUnsigned(count: number): number {
  return count < 0 ? count + 2 ** 64 : count;
}

/** The addresses; of long lists the records keep the first and the last. */
function readPages(place: string, call: Record<string, unknown>): string[] {
  const { pages, pages_first: first, nr_pages: count } = call;
  if (Array.isArray(pages)) return pages.map(String);
  if (first === undefined) return [];
  const match = /^(\w+)\[(\d+)\]$/.exec(String(first));
  if (match === null) throw new InputError(place, `pages from ${String(first)}`, "NAME[INDEX]");
  return Array.from({ length: Number(count) }, (_, at) => `${match[1]}[${Number(match[2]) + at}]`);
}

function readPage(place: string, json: unknown): PageState {
  const { page, state, node, mapcount, flags } = asObject(place, json);
  const isPresent = state === "present";
  return {
    page: String(page),
    state: String(state),
    node: isPresent ? Number(node) : null,
    mapcount: isPresent ? Number(mapcount) : null,
    flags: new Set(isPresent ? String(flags).split(",") : []),
  };
}

function readOutcome(record: Record<string, unknown>): CallRecord["outcome"] {
  if (record["outcome"] === "withheld") return "withheld";
  if (!("ret" in record)) return null;
  const { status, status_rle: runs, trace_lines_total: lines, vmstat_delta: delta } = record;
  const statuses = runs ?? (Array.isArray(status) ? runsOf(status.map(Number)) : null);
  const counters = Object.entries((delta ?? {}) as Record<string, number>);
  return {
    ret: Number(record["ret"]),
    errno: String(record["errno"] ?? ""),
    ...(statuses === null ? {} : { status_rle: statuses as CallOutcome["status_rle"] & object }),
    ...(lines === undefined ? {} : { trace_lines_total: Number(lines) }),
    ...(delta === undefined ? {} : { vmstat_delta: judged(counters) }),
  };
}

/** Of counters and how much each changed, those that are judged and did change. */
export function judged(counters: readonly (readonly [string, number])[]): Record<string, number> {
  return Object.fromEntries(
    counters.filter(([name, change]) => JUDGED_COUNTER.test(name) && change !== 0),
  );
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
