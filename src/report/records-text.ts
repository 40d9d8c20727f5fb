/**
 * The outcome of replaying records, as text: a line each, the counts first.
 */
import type { RecordResult, RecordsResult } from "../replay/result.ts";

/** Records of one reason that are named; of more only the number is told. */
const SHOWN_IDS = 5;

export function recordsText({ agree, differ, cannot, unknown, records }: RecordsResult): string {
  const counts = `${agree} agree, ${differ} differ, ${unknown} without outcome, ${cannot} cannot`;
  const ran = records.filter(({ result }) => result !== "cannot");
  const width = Math.max(0, ...ran.map(({ area, id }) => area.length + id.length + 1));
  const lines = ran.map(({ area, id, result, got, why }) => {
    const name = `${area}/${id}`.padEnd(width);
    return `${result.padEnd(8)} ${name}  ${why === "" ? summaryOf(got) : why}`;
  });
  return `${[counts, "", ...lines, ...cannotLines(records)].join("\n")}\n`;
}

/** Those that could not be replayed, by reason: how many, and what each lacked if that differs. */
function cannotLines(records: readonly RecordResult[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { id, result, why } of records) {
    if (result !== "cannot") continue;
    const [reason, ...rest] = why.split(": ");
    const lacking = rest.length === 0 ? [] : [`${id}: ${rest.join(": ")}`];
    reasons.set(reason, [...(reasons.get(reason) ?? []), ...(lacking.length > 0 ? lacking : [id])]);
  }
  return [...reasons].flatMap(([reason, found]) => {
    const details = found.some((text) => text.includes(": ")) || found.length <= SHOWN_IDS;
    const head = `cannot   ${found.length}: ${reason}`;
    return details ? [head, ...found.map((text) => `           ${text}`)] : [head];
  });
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
