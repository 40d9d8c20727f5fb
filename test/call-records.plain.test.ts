/** Every recorded move_pages(2) that can be set up here gets the kernel's answers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { type CallRecord, readCallRecord } from "../src/replay/call-record.ts";
import { MovePagesReplay } from "../src/replay/replay-move-pages.ts";
import type { RecordResult } from "../src/replay/result.ts";

const file = path.resolve(import.meta.dirname, "../records/move_pages/move_pages.json");
const list = JSON.parse(readFileSync(file, "utf8")) as unknown[];
const records = list.map((json) => readCallRecord("move_pages.json", json));

/** Each record in its turn, as the command line replays them. */
function replayAll(list: readonly CallRecord[]): RecordResult[] {
  const calls = new MovePagesReplay(list, "move_pages");
  const results = list.map((_, at) => calls.replay(at));
  calls.close();
  return results;
}

const results = replayAll(records);

function resultOf(record: CallRecord): RecordResult {
  return replayAll([record])[0];
}

test("no record differs, and the one that cannot be replayed says why", () => {
  const differ = results.filter(({ result }) => result === "differ");
  assert.deepEqual(
    differ.map(({ id, why }) => `${id}: ${why}`),
    [],
  );
  const agree = results.filter(({ result }) => result === "agree");
  assert.equal(agree.length, 138);
  const cannot = results.filter(({ result }) => result === "cannot");
  assert.deepEqual(
    cannot.map(({ why }) => why),
    ["it has no outcome, and its setup failed"],
  );
});

test("an outcome that was withheld is run all the same", () => {
  const unknown = results.filter(({ result }) => result === "unknown");
  assert.equal(unknown.length, 59);
  assert.ok(unknown.every(({ got }) => got !== null));
});

test("each thing that is judged can make a record differ", () => {
  const record = recordNamed("mp.pinned.vmsplice");
  const { outcome } = record;
  assert.ok(outcome !== null && outcome !== "withheld");
  const { trace_lines_total: lines = 0 } = outcome;
  assert.equal(resultOf(record).result, "agree");
  for (const change of [
    { ret: 1 },
    { errno: "EPERM" },
    { status_rle: [[1, 4, "node"]] as const },
    { trace_lines_total: lines + 1 },
    { vmstat_delta: { ...outcome.vmstat_delta, pgmigrate_fail: 3 } },
  ]) {
    const changed = { ...record, outcome: { ...outcome, ...change } };
    const { result, why } = resultOf(changed);
    assert.equal(result, "differ");
    assert.ok(why.startsWith(`${Object.keys(change)[0]}: the kernel's`), why);
  }
});

test("a line of setup that nobody knows makes a record one that cannot be replayed", () => {
  const record = recordNamed("mp.anon.count_16");
  const { result, why } = resultOf({ ...record, setup: ["A is what it is"] });
  assert.equal(result, "cannot");
  assert.equal(why, "a line of setup that is not known: A is what it is");
});

function recordNamed(id: string): CallRecord {
  const record = records.find((other) => other.id === id);
  assert.ok(record !== undefined);
  return record;
}
