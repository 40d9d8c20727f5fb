/**
 * What became of a record: the form that `godwit records` prints.
 *
 * "agree" and "differ" are judged; "cannot" is a record that needs what is not there, with the
 * reason; "unknown" was run and has no recorded outcome to compare with.
 */
export interface RecordResult {
  readonly id: string;
  readonly area: string;
  readonly result: "agree" | "differ" | "cannot" | "unknown";
  readonly expected: unknown;
  readonly got: unknown;
  readonly why: string;
}

export interface RecordsResult {
  readonly agree: number;
  readonly differ: number;
  readonly cannot: number;
  readonly unknown: number;
  readonly records: readonly RecordResult[];
}

/** The counts beside the list. */
export function summarize(records: readonly RecordResult[]): RecordsResult {
  const count = (result: RecordResult["result"]): number =>
    records.filter((record) => record.result === result).length;
  return {
    agree: count("agree"),
    differ: count("differ"),
    cannot: count("cannot"),
    unknown: count("unknown"),
    records,
  };
}
