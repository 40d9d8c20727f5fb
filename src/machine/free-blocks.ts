/**
 * How fragmented free memory is, in one row: what /proc/buddyinfo tells of all zones together.
 */
import { MAX_ORDER } from "../memory/constants.ts";
import type { Machine } from "./machine.ts";

/** Free blocks of all zones by order, 0 to 10: a block of order n is 2^n pages. */
export function freeBlocksByOrder({ mem }: Machine): number[] {
  return Array.from({ length: MAX_ORDER }, (_, order) =>
    mem.zones.reduce((sum, { freeBlocks }) => sum + freeBlocks[order], 0),
  );
}
