/**
 * /proc/iomem: which physical addresses are RAM, and where the kernel's image lies in it.
 *
 * A reader without privilege sees every address as zero; such a file says nothing and is taken as
 * missing. Linux: kernel/resource.c, `r_show()`.
 */
import { PAGE_SIZE } from "../../memory/constants.ts";
import { refuseLine } from "./lines.ts";

/** Frames from `start` up to, not including, `end`. */
export interface PfnRange {
  readonly start: number;
  readonly end: number;
}

export interface Iomem {
  /** Whole frames of RAM, ascending. */
  readonly ram: readonly PfnRange[];
  /** Frames that the kernel's image touches. */
  readonly kernel: readonly PfnRange[];
}

/** Null if the addresses are hidden. Throws `InputError` with the line. */
export function parseIomem(place: string, text: string): Iomem | null {
  const ram: PfnRange[] = [];
  const kernel: PfnRange[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const match = /^\s*([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line);
    if (!match) refuseLine(place, index, line, '"START-END : NAME" in hexadecimal');
    const start = Number.parseInt(match[1], 16);
    const end = Number.parseInt(match[2], 16) + 1;
    if (end < start) refuseLine(place, index, line, "an end that is not before the start");
    // A frame that is RAM only in part is not given to the allocator; one that the kernel's image
    // touches is taken whole.
    if (match[3].startsWith("System RAM")) {
      addRange(ram, Math.ceil(start / PAGE_SIZE), Math.floor(end / PAGE_SIZE));
    } else if (match[3].startsWith("Kernel ")) {
      addRange(kernel, Math.floor(start / PAGE_SIZE), Math.ceil(end / PAGE_SIZE));
    }
  }
  return ram.length === 0 ? null : { ram, kernel };
}

function addRange(ranges: PfnRange[], start: number, end: number): void {
  if (end > start) ranges.push({ start, end });
}
