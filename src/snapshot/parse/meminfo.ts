/**
 * /proc/meminfo: totals by name. Linux: fs/proc/meminfo.c.
 */
import { refuseLine, toCount } from "./lines.ts";

/**
 * By name as printed; KiB, but plain numbers for the `HugePages_` counters.
 *
 * Throws `InputError` with the line.
 */
export function parseMeminfo(place: string, text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const match = /^([^\s:][^:]*):\s+(\S+)(?: kB)?\s*$/.exec(line);
    const value = match ? toCount(match[2]) : -1;
    if (!match || value < 0) refuseLine(place, index, line, '"Name: COUNT kB"');
    values.set(match[1], value);
  }
  return values;
}
