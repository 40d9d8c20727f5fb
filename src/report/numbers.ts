/** Numbers as people read them: grouped digits, sizes in binary units, shares. */
import { PAGE_SIZE } from "../memory/constants.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1234567 -> "1,234,567" */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Pages as a size with three digits: 6291456 -> "24.0 GiB". */
export function pagesAsSize(pages: number): string {
  let size = pages * PAGE_SIZE;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  // 999.96 would round to a fourth digit.
  const digits = unit === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}

/** Part of a whole: "12.3%", and "<0.1%" for what is little but not nothing. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return "-";
  const share = (100 * part) / whole;
  if (part > 0 && share < 0.05) return "<0.1%";
  return part < whole && share >= 99.95 ? ">99.9%" : `${share.toFixed(1)}%`;
}

/** `count` and the noun, in the plural but for one. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
