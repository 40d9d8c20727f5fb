/**
 * /proc/vmstat: the kernel's counters by name. Linux: mm/vmstat.c, `vmstat_show()`.
 */
import { refuseLine } from "./lines.ts";

/** Counters by the kernel's name. Throws `InputError` with the line. */
export function parseVmstat(place: string, text: string): Map<string, number> {
  const counters = new Map<string, number>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    // Counters that are sums of per-CPU parts may be printed for a moment as below zero.
    const match = /^(\w+) (-?\d+)$/.exec(line.trim());
    if (!match) refuseLine(place, index, line, '"name COUNT"');
    counters.set(match[1], Number(match[2]));
  }
  return counters;
}
