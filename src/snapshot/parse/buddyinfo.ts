/**
 * /proc/buddyinfo: how many free blocks of each order each zone has.
 *
 * Linux: mm/vmstat.c, `frag_show_print()`.
 */
import { InputError } from "../../base/input-error.ts";
import { MAX_ORDER } from "../../memory/constants.ts";
import { refuseLine, toCounts } from "./lines.ts";

/** One zone's free blocks; `counts` is by order, 0 to 10. */
export interface BuddyinfoZone {
  readonly node: number;
  readonly name: string;
  readonly counts: readonly number[];
}

/** Throws `InputError` with the line. */
export function parseBuddyinfo(place: string, text: string): BuddyinfoZone[] {
  const zones: BuddyinfoZone[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const match = /^Node\s+(\d+),\s+zone\s+(\S+)\s+(.*)$/.exec(line);
    if (!match) refuseLine(place, index, line, '"Node N, zone NAME" and counts by order');
    const counts = toCounts(match[3]);
    if (counts?.length !== MAX_ORDER) {
      refuseLine(place, index, line, `${MAX_ORDER} counts, for orders 0 to ${MAX_ORDER - 1}`);
    }
    zones.push({ node: Number(match[1]), name: match[2], counts });
  }
  if (zones.length === 0) {
    throw new InputError(place, "no zone", 'lines such as "Node 0, zone Normal 1 2 ..."');
  }
  return zones;
}
