/**
 * Compound folios: which head each tail belongs to, and of what order the folio is.
 *
 * kpageflags marks heads and tails but not sizes: a folio is a head and the run of tails behind it.
 * Tails get their head's kind and lose their state flags, which releases show differently (6.1 the
 * tail's own, 6.18 the head's). A run that is no power of two, or not aligned, was caught while it
 * changed: its largest aligned beginning is kept and the rest counts as the kernel's.
 */
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { Finding } from "./snapshot.ts";

/** What a tail tells beside being one; the rest is its head's. */
const TAIL_FLAGS: number =
  PG.tail | PG.slab | PG.table | PG.hugetlb | PG.offline | PG.kernel | PG.reserved | PG.hwpoison;

/** Writes `order` at heads and settles heads and tails in `columns`. */
export function settleCompounds(
  columns: FlagColumns,
  order: Uint8Array,
  findings: Finding[],
): void {
  const { flags, kind } = columns;
  const pageCount = kind.length;
  let torn = 0;
  for (let pfn = 0; pfn < pageCount; pfn++) {
    const word = flags[pfn];
    if ((word & (PG.head | PG.tail)) === 0) continue;
    if ((word & PG.head) === 0) {
      torn++;
      becomeKernel(columns, pfn);
      continue;
    }
    let end = pfn + 1;
    while (end < pageCount && (flags[end] & PG.tail) !== 0) end++;
    const size = Math.min(31 - Math.clz32(end - pfn), alignmentOrder(pfn));
    if (size === 0) {
      torn++;
      flags[pfn] &= ~PG.head;
      continue;
    }
    order[pfn] = size;
    settleTails(columns, pfn, pfn + 2 ** size, size);
    pfn += 2 ** size - 1;
  }
  if (torn === 0) return;
  findings.push({
    topic: "compound folios",
    text: `${torn} pages of folios that changed while the scan passed: taken as the kernel's or as single pages`,
    certainty: "guess",
  });
}

function settleTails(columns: FlagColumns, head: number, end: number, size: number): void {
  const { flags, kind } = columns;
  const whole = size >= PAGEBLOCK_ORDER ? hugeKindOf(kind[head]) : kind[head];
  kind[head] = whole;
  for (let pfn = head + 1; pfn < end; pfn++) {
    // A poisoned page stays one, whatever it is part of.
    if (kind[pfn] !== PAGE_KIND.poisoned) kind[pfn] = whole;
    flags[pfn] &= TAIL_FLAGS;
  }
}

function hugeKindOf(kind: number): number {
  if (kind === PAGE_KIND.anonymous) return PAGE_KIND.anonymousHuge;
  if (kind === PAGE_KIND.file || kind === PAGE_KIND.shmem) return PAGE_KIND.fileHuge;
  return kind;
}

function becomeKernel(columns: FlagColumns, pfn: number): void {
  columns.flags[pfn] = PG.kernel;
  columns.kind[pfn] = PAGE_KIND.kernel;
}

/** The largest order that a block starting at `pfn` may have. */
function alignmentOrder(pfn: number): number {
  return pfn === 0 ? 30 : 31 - Math.clz32(pfn & -pfn);
}
