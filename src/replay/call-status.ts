/**
 * Statuses of a call in the records' form: runs of equal values, each with its name.
 */
import { ERRNO, type Errno } from "../base/errno.ts";
import type { StatusRun } from "./call-record.ts";

/** What a record's status holds where the kernel wrote nothing. */
export const UNTOUCHED = -9999;

export function runsOf(statuses: Iterable<number>): StatusRun[] {
  const runs: [number, number, string][] = [];
  for (const value of statuses) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] === value) last[1]++;
    else runs.push([value, 1, statusName(value)]);
  }
  return runs;
}

/** The first `count` statuses of runs, as runs. */
export function firstOf(runs: readonly StatusRun[], count: number): StatusRun[] {
  const first: StatusRun[] = [];
  let left = count;
  for (const [value, length, name] of runs) {
    if (left === 0) break;
    first.push([value, Math.min(length, left), name]);
    left -= Math.min(length, left);
  }
  return first;
}

function statusName(value: number): string {
  if (value >= 0) return "node";
  if (value === UNTOUCHED) return "UNTOUCHED";
  const names = Object.keys(ERRNO) as Errno[];
  return names.find((name) => ERRNO[name] === -value) ?? String(value);
}
