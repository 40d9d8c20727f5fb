/**
 * What every parser of a /proc file shares: lines with their numbers, and how to refuse one.
 *
 * Parsers are pure (text in, values out) and take the `place` that messages shall name. They pass
 * over what they do not know, since releases add lines, and refuse what they know and cannot read.
 */
import { InputError } from "../../base/input-error.ts";

/** Longest piece of a bad line that a message repeats. */
const SHOWN_CHARACTERS = 60;

/** Refuses line `index` (from 0) of the file at `place`. */
export function refuseLine(place: string, index: number, line: string, expected: string): never {
  throw new InputError(`${place}:${index + 1}`, quoted(line), expected);
}

/** `text` in quotes, cut to a length that fits a message, what cannot be printed replaced. */
export function quoted(text: string): string {
  const clean = text.trim().replace(/[^\x20-\x7e]/g, "?");
  return clean.length > SHOWN_CHARACTERS
    ? `"${clean.slice(0, SHOWN_CHARACTERS)}..."`
    : `"${clean}"`;
}

/** A count that the kernel prints as digits alone; -1 for anything else. */
export function toCount(text: string): number {
  if (!/^\d{1,16}$/.test(text)) return -1;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : -1;
}

/** The counts in `text`, split at white space; null if any is none. */
export function toCounts(text: string): number[] | null {
  const counts = text.trim().split(/\s+/).map(toCount);
  return counts.includes(-1) ? null : counts;
}
