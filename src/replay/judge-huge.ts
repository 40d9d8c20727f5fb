/**
 * Judges a replayed direct compaction by what its record is good for.
 *
 * A fault's huge pages are as many as the kernel's, its first compaction is equal event by event,
 * and the counters are within 15%. The hugetlb pool's are within 5%: there reclaim and a kswapd
 * whose timing is not recorded take part.
 */
import type { HugeTrigger } from "./huge-triggers.ts";
import type { KernelEvent } from "./kernel-trace.ts";

/** A direct compaction of the record beside ours. */
export interface GotHuge {
  readonly obtained: number;
  /** Events of the first direct compaction, from its call to its end. */
  readonly firstCompaction: { readonly equal: number; readonly total: number };
  /** Events of all, as far as both lists are equal from the start. */
  readonly events: { readonly equal: number; readonly total: number };
}

const COUNTERS_SLACK = 0.15;
const POOL_SLACK = 0.05;

const COMPARED = /^mm_(compaction|migrate_pages)/;

export function compareHuge(
  obtained: number,
  ours: readonly KernelEvent[],
  theirs: readonly KernelEvent[],
): GotHuge {
  const got = ours.filter(({ name }) => COMPARED.test(name));
  const expected = theirs.filter(({ name }) => COMPARED.test(name));
  const first = expected.findIndex(({ name }) => name === "mm_compaction_end") + 1;
  const parted = expected.findIndex((event, at) => !isSame(event, got[at]));
  const equal = parted === -1 ? expected.length : parted;
  return {
    obtained,
    firstCompaction: { equal: Math.min(equal, first), total: first },
    events: { equal, total: expected.length },
  };
}

/** "" if nothing differs that may not. A counter that the kernel alone has is not judged. */
export function whyHugeDiffers(
  { kind }: HugeTrigger,
  got: GotHuge,
  obtained: number | null,
  ours: Readonly<Record<string, number>>,
  theirs: Readonly<Record<string, number>> | null,
): string {
  const { equal, total } = got.firstCompaction;
  const wrong = `${got.obtained} huge pages, the kernel's ${obtained}`;
  if (kind === "hugetlb") {
    return obtained !== null && !isWithin(got.obtained, obtained, POOL_SLACK) ? wrong : "";
  }
  if (obtained !== null && got.obtained !== obtained) return wrong;
  if (equal < total) return `event ${equal} of the first direct compaction`;
  const far = Object.entries(theirs ?? {}).filter(
    ([name, count]) => name in ours && !isWithin(ours[name], count, COUNTERS_SLACK),
  );
  return far.map(([name, count]) => `${name} ${ours[name]}, the kernel's ${count}`).join("; ");
}

function isSame(a: KernelEvent, b: KernelEvent | undefined): boolean {
  return b !== undefined && a.name === b.name && a.text === b.text;
}

function isWithin(count: number, wanted: number, slack: number): boolean {
  return Math.abs(count - wanted) <= wanted * slack;
}
