import assert from "node:assert/strict";
import { test } from "node:test";
import type { Memory } from "../../memory/memory.ts";
import { SHRINK_STOP, type Shrinker } from "../../memory/shrinker.ts";
import { smallMemory } from "../../memory/small-memory.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import { shrinkSlab } from "./shrink-slab.ts";

/** A cache of objects, all of which can be freed; says how many it was asked for each time. */
class SmallCache implements Shrinker {
  readonly name = "small cache";
  readonly seeks: number;
  readonly batch: number;
  readonly deferred: Map<number, number> = new Map();
  objects: number;
  readonly asked: number[] = [];
  answer: "frees" | "stops" = "frees";

  constructor(mem: Memory, objects: number, seeks = 2, batch = 128) {
    this.objects = objects;
    this.seeks = seeks;
    this.batch = batch;
    mem.shrinkers.push(this);
  }

  countObjects = (): number => this.objects;

  *scanObjects(_mem: Memory, _node: number, count: number): Blocking<number> {
    this.asked.push(count);
    yield "cache-scans";
    if (this.answer === "stops") return SHRINK_STOP;
    const freed = Math.min(count, this.objects);
    this.objects -= freed;
    return freed;
  }
}

test("a share that is less than a batch is put off until it adds up to one", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new SmallCache(mem, 1600);
  for (let round = 0; round < 3; round++) runToEnd(shrinkSlab(mem, 0, 5));
  assert.deepEqual(cache.asked, [], "1600 / 32, twice for what it is worth: 100, less than 128");
  assert.equal(cache.deferred.get(0), 300);
  const freed = runToEnd(shrinkSlab(mem, 0, 0));
  assert.equal(cache.asked.length, 25, "twice what there is, and no more");
  assert.equal(freed, 1600);
  assert.equal(cache.deferred.get(0), 300, "3500 were asked for, 3200 scanned");
  assert.equal(mem.events.vmstat.snapshot().slabs_scanned, 3200);
});

test("a cache smaller than a batch is scanned as soon as the share is all of it", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new SmallCache(mem, 40);
  runToEnd(shrinkSlab(mem, 0, 1));
  assert.deepEqual(cache.asked, [40], "40 / 2 * 4 / 2");
});

test("objects that cost nothing to bring back lose half at any priority", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new SmallCache(mem, 400, 0, 100);
  runToEnd(shrinkSlab(mem, 0, 12));
  assert.deepEqual(cache.asked, [100, 100]);
});

test("a cache that cannot make progress is left for later, and the next is asked", () => {
  const mem = smallMemory({ pageCount: 64 });
  const stuck = new SmallCache(mem, 100, 2, 10);
  stuck.answer = "stops";
  const other = new SmallCache(mem, 10, 2, 10);
  assert.equal(runToEnd(shrinkSlab(mem, 0, 1)), 10);
  assert.deepEqual(stuck.asked, [10]);
  assert.equal(stuck.deferred.get(0), 100);
  assert.deepEqual(other.asked, [10]);
});

test("an empty cache keeps what it was asked before", () => {
  const mem = smallMemory({ pageCount: 64 });
  const cache = new SmallCache(mem, 0);
  cache.deferred.set(0, 7);
  assert.equal(runToEnd(shrinkSlab(mem, 0, 0)), 0);
  assert.equal(cache.deferred.get(0), 7);
});
