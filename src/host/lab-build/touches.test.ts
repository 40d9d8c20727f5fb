/** What is noted of a tracked module: each place that it reads or changes, and no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { beginRun, type Footprint, record, takeFootprint } from "../../sched/explore/touch.ts";
import * as recorder from "../../sched/explore/tracked.ts";
import { trackedBody } from "./tracked-body.ts";

type Step = () => unknown;

/** The world that all steps below are written for, and the steps as functions of it. */
function stepsOf(...steps: readonly string[]): Step[] {
  const functions = steps.map((each) => `() => { ${each} }`).join(",\n");
  const body = `
    class Lock { held = false; readonly name; #depth = 0; sleepers: any[] = [];
      constructor(name: string) { this.name = name; this.held = false; }
      deepen() { this.#depth++; } get isDeep() { return this.#depth > 0; } }
    const lock = new Lock("a"); const other = new Lock("b");
    const refcount = new Int32Array(8); const bytes = new Uint8Array(refcount.buffer);
    const large = new Uint8Array(1 << 17); const list: any[] = [1, 2, 3];
    const map = new Map<any, any>([[1, "a"], [2, "b"]]); const set = new Set<any>([1]);
    const record: any = { one: 1 }; record.one = 2; lock.held = true; lock.sleepers = lock.sleepers;
    const counts: Record<string, number> = { found: 0, lost: 0 }; const kinds = ["found", "lost"];
    const TABLE = { held: 1 } as const; const TOTALS = { found: 0 };
    let shared = 0; let onlyHere = 0; onlyHere++;
    const bump = () => { shared++; };
    return [${functions}];`;
  return new Function("recorder", trackedBody(body))(recorder) as Step[];
}

/** What each step touches, one after the other in one run. */
function footprints(...steps: readonly string[]): Footprint[] {
  beginRun();
  record();
  const functions = stepsOf(...steps);
  takeFootprint();
  return functions.map((step) => {
    step();
    return takeFootprint();
  });
}

function touches(step: string): string {
  const { reads, writes } = footprints(step)[0].describe();
  return `${reads.join(" ")} | ${writes.join(" ")}`;
}

test("each kind of access is told by its place", () => {
  const expected: Readonly<Record<string, string>> = {
    "return lock.held;": "lock.held | ",
    "lock.held = false;": " | lock.held",
    "return lock.name;": " | ",
    "lock.deepen();": " | lock.#depth",
    "return lock.isDeep;": "lock.#depth | ",
    "const { held, name } = lock; return held;": "lock.held | ",
    "return refcount[5];": "refcount[5] | ",
    "refcount[2 + 3]++;": " | refcount[5]",
    "return bytes[21];": "refcount[5] | ",
    "large[4095] = 1; large[4096] = 1;": " | large[0] large[1]",
    "return refcount.length;": "refcount.length | ",
    "refcount.fill(0, 2, 4);": " | refcount[2] refcount[3]",
    "return refcount.subarray(1, 2);": " | ",
    "list.push(4);": " | list.length list[3]",
    "return list.at(-1);": "list.length list[2] | ",
    "list[7] = 1;": " | list[7] list.length",
    "return [...list];": "list.length list[0] list[1] list[2] | ",
    "for (const each of list) if (each > 9) return;": "list.length list[0] list[1] list[2] | ",
    "return map.get(1);": "map[1] | ",
    "return map.get(9);": "map[9] | ",
    "map.set(1, 2);": " | map[1]",
    "map.set(9, 2);": " | map[9] map.size",
    "map.delete(9);": "map[9] | ",
    "return map.size;": "map.size | ",
    "set.add(1);": "set[1] | ",
    "set.add(2);": " | set[2] set.size",
    "return [...map.keys()];": "map.size map[1] map[2] | ",
    "record.two = 1;": " | record.two record.length",
    'return record["one"];': "record.one | ",
    "return { ...record };": "record.one record.length | ",
    'return "one" in record;': "record.one | ",
    "counts[kinds[0]]++;": "kinds[0] | counts.found",
    "return counts.found;": "counts.found | ",
    "return TABLE.held;": " | ",
    "TOTALS.found++;": " | TOTALS.found",
    "return shared;": "shared | ",
    "bump();": " | shared",
    "let mine = 0; mine++; return mine;": " | ",
  };
  for (const [step, told] of Object.entries(expected)) {
    assert.deepEqual(sorted(touches(step)), sorted(told), step);
  }
});

function sorted(told: string): string[] {
  return told.split(" | ").map((part) => part.split(" ").sort().join(" "));
}

test("steps conflict where they touch one thing, and one changes it", () => {
  const pairs: readonly (readonly [string, string, boolean])[] = [
    ["lock.held = true;", "return lock.held;", true],
    ["lock.held = true;", "return other.held;", false],
    ["lock.sleepers.push(1);", "return lock.sleepers.length;", true],
    ["lock.sleepers.push(1);", "other.sleepers.push(1);", false],
    ["refcount[1]++;", "refcount[1]--;", false],
    ["refcount[1]++;", "return refcount[1]--;", true],
    ["refcount[1] += 2;", "refcount[1] |= 2;", true],
    ["refcount[1] = 2;", "refcount[2] = 2;", false],
    ["refcount[1] = 2;", "bytes[4] = 1;", true],
    ["TOTALS.found = 1;", "return TOTALS.found;", true],
    ["counts[kinds[0]]++;", "return counts.found;", true],
    ["counts[kinds[1]]++;", "return counts.found;", false],
    ["shared++;", "bump();", false],
    ["shared++;", "if (shared > 0) bump();", true],
    ["map.set(5, 1);", "map.set(6, 1);", true],
    ["map.set(1, 1);", "map.set(2, 1);", false],
    ["map.set(1, 1);", "for (const [, v] of map) v;", true],
    ["map.set(7, 1);", "return map.has(7);", true],
    ["list[1] = 5;", "return list[2];", false],
    ["list[1] = 5;", "return list.indexOf(5);", true],
    ["list.pop();", "return list[2];", true],
    ["list.length = 0;", "return list[1];", true],
    ["delete record.one;", "return Object.keys(record);", true],
    ['record["x"] = 1;', "return Object.values(record);", true],
  ];
  for (const [a, b, expected] of pairs) {
    const [first, second] = footprints(a, b);
    assert.equal(first.conflictsWith(second), expected, `${a} ${b}`);
  }
});

test("what a step does behind a yield is of the step behind it", () => {
  const [step] = stepsOf(`
    const o = { p: 0, q: [1, 2] }; o.p = 1;
    return { o, *steps(): any {
      o.p = yield "a"; o.q[0] = yield "b"; for (const each of o.q) { yield each; o.q[1] = 5; }
    } };`);
  beginRun();
  record();
  const { steps } = step() as { steps: () => Generator<unknown> };
  const run = steps();
  takeFootprint();
  const told: string[] = [];
  for (let done = false; !done; ) {
    done = run.next().done === true;
    const { reads, writes } = takeFootprint().describe();
    told.push(`${reads} | ${writes}`);
  }
  assert.deepEqual(told, [
    " | ",
    " | o.p",
    "q.length | q[0]",
    "q.length | q[1]",
    "q.length | q[1]",
  ]);
});

test("runs that begin alike number alike, whoever comes first then", () => {
  const [first, second] = [
    footprints("lock.held = false;", "other.held = false;"),
    footprints("other.held = false;", "lock.held = false;"),
  ];
  assert.ok(first[0].conflictsWith(second[1]) && !first[0].conflictsWith(second[0]));
});
