/**
 * The outcome of replaying records, as text: a line each, the counts first.
 */
import type { RecordsResult } from "../replay/result.ts";

export function recordsText({ agree, differ, cannot, unknown, records }: RecordsResult): string {
  const counts = `${agree} agree, ${differ} differ, ${unknown} without outcome, ${cannot} cannot`;
  const ran = records.filter(({ result }) => result !== "cannot");
  const width = Math.max(0, ...ran.map(({ area, id }) => area.length + id.length + 1));
  const lines = ran.map(({ area, id, result, got, why }) => {
    const name = `${area}/${id}`.padEnd(width);
    return `${result.padEnd(8)} ${name}  ${why === "" ? summaryOf(got) : why}`;
  });
  const reasons = new Map<string, number>();
  for (const { result, why } of records) {
    if (result === "cannot") reasons.set(why, (reasons.get(why) ?? 0) + 1);
  }
  const cannots = [...reasons].map(([why, count]) => `cannot   ${count}: ${why}`);
  return `${[counts, "", ...lines, ...cannots].join("\n")}\n`;
}

/** The figures of a compaction that was compared. */
function summaryOf(got: unknown): string {
  if (typeof got !== "object" || got === null || !("ranges" in got) || !("frames" in got)) {
    return "";
  }
  const { ranges, frames } = got as {
    ranges: { equal: number; total: number };
    frames: { same: number; different: number };
  };
  const total = frames.same + frames.different;
  return `${ranges.equal} of ${ranges.total} ranges, ${frames.same} of ${total} frames`;
}
