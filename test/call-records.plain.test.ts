/** Every recorded move_pages(2) that can be set up here gets the kernel's answers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { type CallRecord, readCallRecord } from "../src/replay/call-record.ts";
import { replayMovePages } from "../src/replay/replay-move-pages.ts";

const file = path.resolve(import.meta.dirname, "../records/move_pages/move_pages.json");
const list = JSON.parse(readFileSync(file, "utf8")) as unknown[];
const records = list.map((json) => readCallRecord("move_pages.json", json));

test("no record differs, and those that cannot be set up say which line is not known", () => {
  const results = records.map((record) => replayMovePages(record, "move_pages"));
  const differ = results.filter(({ result }) => result === "differ");
  assert.deepEqual(
    differ.map(({ id, why }) => `${id}: ${why}`),
    [],
  );
  const agree = results.filter(({ result }) => result === "agree");
  assert.ok(agree.length >= 60, `only ${agree.length} agree`);
  const silent = results.filter(({ result, why }) => result === "cannot" && why === "");
  assert.deepEqual(silent, []);
});

test("an outcome that was withheld is run all the same", () => {
  const withheld = records.filter(({ outcome }) => outcome === null);
  const ran = withheld.map((record) => replayMovePages(record, "move_pages"));
  const unknown = ran.filter(({ result }) => result === "unknown");
  assert.ok(unknown.length >= 27, `only ${unknown.length} ran`);
  assert.ok(unknown.every(({ got }) => got !== null));
});

test("each thing that is judged can make a record differ", () => {
  const record = recordNamed("mp.pinned.vmsplice");
  const { outcome } = record;
  assert.ok(outcome !== null);
  assert.equal(replayMovePages(record, "move_pages").result, "agree");
  for (const change of [
    { ret: 1 },
    { errno: "EPERM" },
    { status_rle: [[1, 4, "node"]] as const },
    { trace_lines_total: outcome.trace_lines_total + 1 },
    { vmstat_delta: { ...outcome.vmstat_delta, pgmigrate_fail: 3 } },
  ]) {
    const changed = { ...record, outcome: { ...outcome, ...change } };
    const { result, why } = replayMovePages(changed, "move_pages");
    assert.equal(result, "differ");
    assert.ok(why.startsWith(`${Object.keys(change)[0]}: the kernel's`), why);
  }
});

test("a line of setup that nobody knows makes a record one that cannot be replayed", () => {
  const record = recordNamed("mp.anon.count_16");
  const { result, why } = replayMovePages({ ...record, setup: ["A is what it is"] }, "move_pages");
  assert.equal(result, "cannot");
  assert.equal(why, "a line of setup that is not known: A is what it is");
});

function recordNamed(id: string): CallRecord {
  const record = records.find((other) => other.id === id);
  assert.ok(record !== undefined);
  return record;
}
