/** Records of calls: which world each is made in, what is checked of it, and what is judged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readCallRecord } from "./call-record.ts";
import { MovePagesReplay } from "./replay-move-pages.ts";
import type { RecordResult } from "./result.ts";

/** A record in the form of the files, of a call that moves A[0] to node 1 unless it says else. */
function json(changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const call = { fn: "move_pages", pid: "self", nr_pages: 1, flags: "MPOL_MF_MOVE" };
  return {
    id: "one",
    desc: "",
    setup: ["A 2 anon node0"],
    call: { ...call, pages: ["A[0]"], nodes_rle: [[1, 1]] },
    ret: 0,
    errno: "",
    ...changes,
  };
}

function replay(...list: readonly Record<string, unknown>[]): RecordResult[] {
  const records = list.map((entry) => readCallRecord("a list", entry));
  const calls = new MovePagesReplay(records, "move_pages");
  const results = records.map((_, at) => calls.replay(at));
  calls.close();
  return results;
}

function statusOf({ got, why }: RecordResult): unknown {
  assert.equal(why, "");
  return (got as { status_rle: unknown }).status_rle;
}

const QUERY = { fn: "move_pages", pid: "self", nr_pages: 1, flags: "0", nodes: null };

test("a record without setup goes on where the one before it ended, others begin anew", () => {
  const [, query, fresh] = replay(
    json({}),
    json({ setup: [""], call: { ...QUERY, pages: ["A[0]"] } }),
    json({ call: { ...QUERY, pages: ["A[0]"] } }),
  );
  assert.deepEqual(statusOf(query), [[1, 1, "node"]]);
  assert.deepEqual(statusOf(fresh), [[0, 1, "node"]]);
});

test("a record alone has those before it run first, if it goes on where they ended", () => {
  const records = [json({}), json({ setup: [""], call: { ...QUERY, pages: ["A[0]"] } })];
  const calls = new MovePagesReplay(
    records.map((entry) => readCallRecord("a list", entry)),
    "move_pages",
  );
  assert.deepEqual(statusOf(calls.replay(1)), [[1, 1, "node"]]);
  calls.close();
});

test("as before goes on, or makes it again where the pages were not left so", () => {
  const present = { page: "A[0]", state: "present", mapcount: 1, flags: "LRU" };
  const again = { setup: ["as before, A[1] written"], call: { ...QUERY, pages: ["A[0]"] } };
  const [, kept] = replay(json({}), json({ ...again, before: [{ ...present, node: 1 }] }));
  assert.deepEqual(statusOf(kept), [[1, 1, "node"]]);
  const [, remade] = replay(json({}), json({ ...again, before: [{ ...present, node: 0 }] }));
  assert.deepEqual(statusOf(remade), [[0, 1, "node"]]);
});

test("a sentence about what the record did not make is about the world before it", () => {
  const [, later] = replay(
    json({}),
    json({ setup: ["munmap A[0]"], call: { ...QUERY, pages: ["A[0]"] } }),
  );
  assert.deepEqual(statusOf(later), [[-14, 1, "EFAULT"]]);
  const [alone] = replay(json({ setup: ["munmap A[0]"] }));
  assert.equal(alone.result, "cannot");
});

test("a world whose pages are not as they were recorded is not the record's", () => {
  const before = [{ page: "A[0]", state: "present", node: 3, mapcount: 1, flags: "LRU" }];
  const [result] = replay(json({ before }));
  assert.equal(result.result, "cannot");
  assert.equal(result.why, "before the call A[0] was on node 3, here it is on node 0");
});

test("what is not recorded of an outcome is not judged, and what is too short is judged as far", () => {
  assert.equal(replay(json({}))[0].result, "agree");
  assert.equal(replay(json({ ret: 1 }))[0].result, "differ");
  const call = { fn: "move_pages", pid: "self", nr_pages: 2, flags: "MPOL_MF_MOVE" };
  const two = { ...call, pages: ["A[0]", "A[1]"], nodes_rle: [[1, 2]] };
  assert.equal(replay(json({ call: two, status: [1] }))[0].result, "agree");
  assert.equal(replay(json({ call: two, status: [0] }))[0].result, "differ");
});

test("a withheld outcome is run, one that nobody has is not", () => {
  const { ret: _ret, errno: _errno, ...without } = json({});
  const [withheld] = replay({ ...without, outcome: "withheld" });
  assert.deepEqual([withheld.result, statusOf(withheld)], ["unknown", [[1, 1, "node"]]]);
  assert.equal(replay(without)[0].result, "cannot");
});

test("what a call does not tell, its description does", () => {
  const untold = { call: {}, ret: -1, errno: "EFAULT" };
  const one = { ...untold, desc: "status array: entries 0 writable, 1 unmapped", status: [1] };
  assert.equal(replay(json({ ...one, vmstat_delta: { pgmigrate_success: 2 } }))[0].result, "agree");
  const query = { ...untold, desc: "pages NULL, query mode", status: [] };
  assert.equal(replay(json(query))[0].result, "agree");
});

test("a user's call is a child's, which has its parent's memory and nobody else's rights", () => {
  const [other] = replay(
    json({
      desc: "uid 1000 moves a root process's page",
      call: { ...QUERY, pid: "root process", pages: ["A[0]"], nodes_rle: [[1, 1]] },
      ret: -1,
      errno: "EPERM",
    }),
  );
  assert.deepEqual([other.result, other.why], ["agree", ""]);
});
