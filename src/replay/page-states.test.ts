/** Pages as they were before a call: where they wait, and what is made that nobody told of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { PageState } from "./call-record.ts";
import { CallWorld, type Region } from "./call-world.ts";
import { makeUntold, settleBatches, stateDifference } from "./page-states.ts";

function page(name: string, flags: string, node = 0): PageState {
  const state = flags === "" ? "not_present" : "present";
  const isPresent = state === "present";
  return {
    page: name,
    state,
    node: isPresent ? node : null,
    mapcount: isPresent ? 1 : null,
    flags: new Set(flags.split(",")),
  };
}

function frameOf({ machine }: CallWorld, { mm, startVpn }: Region, at: number): Pfn {
  return machine.mem.pfn(machine.vm.tables.pfn(mm.directory.find(startVpn + at)));
}

test("pages without PG_lru wait in the batch of the processor, those with it do not", () => {
  const world = new CallWorld();
  const region = world.map("A", "2");
  world.touch(region, 0);
  const before = [page("A[0]", "UPTODATE,ANON"), page("A[1]", "UPTODATE,LRU,ANON")];
  settleBatches(world, world.self, before);
  const { mem } = world.machine;
  const [first, second] = [0, 1].map((at) => frameOf(world, region, at));
  assert.deepEqual([mem.flags[first] & PG.lru, mem.flags[second] & PG.lru], [0, PG.lru]);
  const { add, addCount } = mem.lruBatches[mem.cpu];
  assert.deepEqual([...add.subarray(0, addCount)], [first]);
  assert.deepEqual([mem.refcount[first], mem.refcount[second]], [2, 1]);
});

test("memory that was there and that nobody told of is anonymous, where it was", () => {
  const world = new CallWorld();
  const before = [page("A[0]", "UPTODATE,LRU,ANON", 3), page("A[1]", "")];
  world.begin(new Map([["A", 2]]));
  makeUntold(world, before);
  assert.equal(stateDifference(world, world.self, before), null);
  assert.equal(world.machine.mem.nodeOf(frameOf(world, world.region("A"), 0)).id, 3);
});

test("a file's page that nobody told of is not made up", () => {
  const world = new CallWorld();
  makeUntold(world, [page("A[0]", "UPTODATE,LRU,MMAP")]);
  assert.equal(world.regions.size, 0);
});

test("what differs from the record is told, page by page", () => {
  const world = new CallWorld();
  world.touch(world.map("A", "2"), 1, [0]);
  const { self } = world;
  assert.equal(stateDifference(world, self, [page("A[0]", "LRU", 1), page("A[1]", "")]), null);
  assert.equal(
    stateDifference(world, self, [page("A[0]", "LRU", 0)]),
    "before the call A[0] was on node 0, here it is on node 1",
  );
  assert.equal(
    stateDifference(world, self, [page("A[1]", "LRU", 0)]),
    "before the call A[1] was on node 0, here it is not_present",
  );
});
