import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ADD, type Footprint, READ, WRITE } from "./footprint.ts";
import { declareName, elementKey, LENGTH, nameKey, objectKey, valueKey } from "./locations.ts";
import { numberedOf, numberObject, numberOf } from "./numbers.ts";
import {
  beginRun,
  endRun,
  forget,
  isTracked,
  objectsSeen,
  record,
  setTracked,
  takeFootprint,
  touch,
} from "./touch.ts";

const HELD = 1000;
const COUNTS = 1001;
declareName(HELD, "held");
declareName(COUNTS, "counts");

/** [object, element, how] */
type Touch = readonly [number, number, number];

function footprint(...touches: readonly Touch[]): Footprint {
  for (const [object, element, how] of touches) touch(object, elementKey(element), how);
  return takeFootprint();
}

const touches = fc.array(fc.tuple(fc.nat(3), fc.nat(40), fc.constantFrom(READ, ADD, WRITE)), {
  maxLength: 60,
});

/** What two lists of touches mean: as slow as it is plain. */
function conflict(a: readonly Touch[], b: readonly Touch[]): boolean {
  return a.some((mine) =>
    b.some((theirs) => {
      const isSame = mine[0] === theirs[0] && mine[1] === theirs[1];
      return isSame && (mine[2] !== theirs[2] || mine[2] === WRITE);
    }),
  );
}

test("footprints conflict where one changes what the other reads or changes", () => {
  beginRun();
  record();
  fc.assert(
    fc.property(touches, touches, (a, b) => {
      assert.equal(footprint(...a).conflictsWith(footprint(...b)), conflict(a, b));
    }),
  );
});

test("one writes what the other looks at, and not the other way round", () => {
  beginRun();
  record();
  const looked = footprint([0, 0, READ], [0, 1, READ]);
  const wrote = footprint([0, 1, ADD], [0, 2, READ]);
  assert.ok(wrote.writesWhat(looked));
  assert.ok(!looked.writesWhat(wrote));
  assert.ok(!footprint([0, 2, WRITE]).writesWhat(looked));
});

test("additions commute with one another, and with nothing else", () => {
  beginRun();
  record();
  const [read, add, write] = [READ, ADD, WRITE].map((how) => footprint([0, 0, how]));
  assert.ok(!add.conflictsWith(add) && !read.conflictsWith(read));
  assert.ok(add.conflictsWith(read) && add.conflictsWith(write) && write.conflictsWith(write));
  const both = footprint([0, 0, READ], [0, 0, ADD]);
  assert.ok(both.conflictsWith(both), "who reads and then adds does not commute with itself");
});

test("a location is one however often it is touched, and steps are apart", () => {
  beginRun();
  record();
  assert.equal(footprint([0, 1, READ], [0, 1, READ], [0, 1, WRITE], [1, 1, READ]).size, 2);
  assert.equal(footprint([0, 1, READ]).size, 1);
  assert.equal(takeFootprint().size, 0);
  touch(0, elementKey(0), WRITE);
  forget();
  assert.equal(takeFootprint().size, 0, "what was forgotten is not taken");
  endRun();
  assert.equal(footprint([0, 1, READ]).size, 0, "no run is on");
});

test("what is in fresh objects is left out on demand", () => {
  beginRun();
  record();
  const step = footprint([2, 0, WRITE], [5, 0, READ], [-4, 0, READ], [1, 7, READ]);
  assert.equal(step.before(5).size, 3);
  assert.equal(step.before(1).size, 1, "objects that last are never fresh");
  assert.equal(step.before(6), step);
});

test("an object has the same number in every run that makes the same objects", () => {
  const numbersOfRun = (): number[] => {
    beginRun();
    record();
    const made = [{}, [], new Map(), new Int32Array(4), new (class A {})()];
    for (const object of made) numberObject(object, 0);
    return [...made.map((object) => numberOf(object)), objectsSeen()];
  };
  const first = numbersOfRun();
  assert.deepEqual(first, [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(numbersOfRun(), first);
});

test("an object from before the run has a number of its own that lasts", () => {
  beginRun();
  record();
  const [before, other] = [{}, {}];
  numberObject(before, HELD);
  numberObject(other, 0);
  beginRun();
  record();
  const lasting = numberOf(before);
  assert.ok(lasting < 0);
  numberObject({}, 0);
  beginRun();
  record();
  assert.notEqual(numberOf(other), lasting);
  assert.equal(numberOf(before), lasting);
  touch(lasting, elementKey(5), READ);
  assert.deepEqual(takeFootprint().describe().reads, ["held[5]"]);
});

test("a number leaves no trace that a program could see, and frozen objects have one", () => {
  const object = Object.freeze({ a: 1 });
  numberObject(object, 0);
  assert.ok(numberedOf(object) !== undefined);
  assert.deepEqual(Reflect.ownKeys(object), ["a"]);
  assert.deepEqual({ ...object }, { a: 1 });
  assert.equal(numberedOf({ ...object }), undefined, "a copy is another object");
});

test("views of one buffer share its number", () => {
  beginRun();
  record();
  const words = new Int32Array(8);
  numberObject(words, COUNTS);
  const bytes = new Uint8Array(words.buffer, 4);
  const numbered = numberObject(bytes, 0);
  assert.equal(numberOf(bytes), numberOf(words));
  assert.equal(numbered.offsetBytes, 4);
  assert.equal(numbered.storage.locationShift, 2, "of the element that came first");
});

test("keys of different kinds are different", () => {
  const keys = [
    elementKey(3),
    nameKey(HELD),
    nameKey(LENGTH),
    objectKey(3),
    valueKey(4),
    valueKey("3"),
    valueKey(3.5),
    valueKey(undefined),
    valueKey(1e12),
    valueKey("counts"),
  ];
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(valueKey("held"), nameKey(HELD), "a computed name is the name");
  assert.equal(valueKey(3), elementKey(3));
  assert.equal(valueKey(3.5), valueKey(3.5));
});

test("locations are told by the names of their objects", () => {
  beginRun();
  record();
  const counts = new Int32Array(4);
  numberObject(counts, COUNTS);
  const lock = {};
  numberObject(lock, 0);
  touch(numberOf(counts), elementKey(2), WRITE);
  touch(numberOf(lock), nameKey(HELD), READ);
  touch(numberOf(lock), valueKey("a key"), READ);
  const told = takeFootprint().describe();
  assert.deepEqual(told, { writes: ["counts[2]"], reads: ["held", "a key"] });
});

test("nothing is tracked in a build that was not instrumented", () => {
  assert.equal(isTracked(), false);
  setTracked();
  assert.equal(isTracked(), true);
});
