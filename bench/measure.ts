/**
 * How a benchmark is measured and told.
 *
 * Each round of a benchmark is followed by a round of what it is held against, so that both see
 * the same machine in the same second; the ratio is that of the medians. The first round of all,
 * with cold code, is told apart and counts for nothing else.
 */

export interface Benchmark {
  readonly name: string;
  readonly unit: "ns/page" | "ns";
  /** One round, prepared untimed where need be: nanoseconds per unit. */
  readonly round: () => number;
  /** What it is held against, measured in turn. */
  readonly against?: { readonly name: string; readonly round: () => number };
  /** Rounds after the first. */
  readonly rounds: number;
}

export interface BenchmarkResult {
  readonly name: string;
  readonly unit: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly against: { readonly name: string; readonly median: number } | null;
  /** Of the medians; null without `against`. */
  readonly ratio: number | null;
  /** The first, cold round. */
  readonly first: number;
}

export function measure({ name, unit, round, against, rounds }: Benchmark): BenchmarkResult {
  const first = round();
  against?.round();
  const own: number[] = [];
  const theirs: number[] = [];
  for (let at = 0; at < rounds; at++) {
    own.push(round());
    if (against !== undefined) theirs.push(against.round());
  }
  const median = medianOf(own);
  const other = against === undefined ? null : { name: against.name, median: medianOf(theirs) };
  return {
    name,
    unit,
    min: Math.min(...own),
    median,
    max: Math.max(...own),
    against: other,
    ratio: other === null ? null : median / other.median,
    first,
  };
}

/** Nanoseconds that `work` takes. */
export function time(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
