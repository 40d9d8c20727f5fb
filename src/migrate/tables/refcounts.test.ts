/**
 * References and map counts of both folios, step by step through a move, kind by kind.
 *
 * A line is a step, then references and mappings of `src`, then those of `dst` once there is one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioMapcount } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import { folioAttachPrivate } from "../../pagecache/buffers/folio-buffers.ts";
import { attachBuffers } from "../../pagecache/buffers/small-buffers.ts";
import { createHugetlbFile } from "../../vm/hugetlb/file.ts";
import { mapHuge, mapHugeFile, touchHuge } from "../../vm/hugetlb/small-hugetlb.ts";
import { anonymousPage, hugePage, mapFilePage, sharePage } from "../../vm/small-vm.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import { addToSwap } from "../../vm/swap/swap-cache.ts";
import type { Vm } from "../../vm/vm.ts";
import { bufferMigrateFolio } from "../buffer-callbacks.ts";
import { filemapMigrateFolio, migrateFolio } from "../callbacks.ts";
import { hugetlbfsMigrateFolio } from "../hugetlb.ts";
import { SmallDriver } from "../small-driver.ts";
import { lines, WatchedMove } from "./watched-move.ts";

/** A folio, and what its counts are at each step of its move. */
interface Kind {
  readonly name: string;
  /** Makes the folio, on the LRU or a driver's own. */
  readonly make: (watched: WatchedMove) => Folio;
  readonly steps: string;
  /** What a reference more makes of it at the swap: how many are found, and how many expected. */
  readonly held: readonly [number, number] | "no matter";
}

function counts({ mem }: Vm, folio: Folio): string {
  return `${mem.refcount[folio]} ${folioMapcount(mem, folio)}`;
}

const KINDS: readonly Kind[] = [
  {
    name: "an anonymous page",
    make: ({ vm }) => anonymousPage(vm, 1).folio,
    steps: `
      before   1 1
      isolated 2 1
      asked    2 1
      copied   1 0  1 0
      remapped 1 0  2 1
      over     0 0  1 1`,
    held: [2, 1],
  },
  {
    name: "an anonymous page of three processes",
    make({ vm }) {
      const page = anonymousPage(vm, 1);
      sharePage(vm, page);
      return sharePage(vm, page).folio;
    },
    steps: `
      before   3 3
      isolated 4 3
      asked    4 3
      copied   1 0  1 0
      remapped 1 0  2 1
      remapped 1 0  3 2
      remapped 1 0  4 3
      over     0 0  3 3`,
    held: [2, 1],
  },
  {
    name: "a transparent huge page, mapped whole",
    make: ({ vm }) => hugePage(vm, 1).folio,
    steps: `
      before   1 1
      isolated 2 1
      asked    2 1
      copied   1 0  1 0
      remapped 1 0  2 1
      over     0 0  1 1`,
    held: [2, 1],
  },
  {
    name: "a mapped page of the swap cache",
    make(watched) {
      const { vm } = watched;
      smallSwap(vm, watched.owner(migrateFolio));
      const { folio } = anonymousPage(vm, 1);
      assert.ok(vm.swap !== null && folioTrylock(vm.mem, folio));
      assert.ok(addToSwap(vm.swap, folio));
      folioUnlock(vm.mem, folio);
      return folio;
    },
    steps: `
      before   2 1
      isolated 3 1
      asked    3 1
      owner    2 0  1 0
      copied   1 0  2 0
      remapped 1 0  3 1
      over     0 0  2 1`,
    held: [3, 2],
  },
  {
    // What is over holds one reference more: the batch on its way to the LRU.
    name: "a file's page that nobody maps",
    make: (watched) => watched.file(migrateFolio),
    steps: `
      before   1 0
      isolated 2 0
      asked    2 0
      owner    2 0  1 0
      copied   1 0  2 0
      over     0 0  2 0`,
    held: [3, 2],
  },
  {
    name: "a file's page that two processes map",
    make(watched) {
      const folio = watched.file(migrateFolio);
      const mapping = watched.vm.cache.folioMapping(folio);
      assert.ok(mapping !== null);
      for (let at = 0; at < 2; at++) mapFilePage(watched.vm, mapping, folio);
      return folio;
    },
    steps: `
      before   3 2
      isolated 4 2
      asked    4 2
      owner    2 0  1 0
      copied   1 0  2 0
      remapped 1 0  3 1
      remapped 1 0  4 2
      over     0 0  3 2`,
    held: [3, 2],
  },
  {
    name: "a file's page with private state",
    make(watched) {
      const folio = watched.file(filemapMigrateFolio);
      folioAttachPrivate(watched.vm.mem, folio, 99);
      return folio;
    },
    steps: `
      before   2 0
      isolated 3 0
      asked    3 0
      owner    3 0  1 0
      copied   1 0  3 0
      over     0 0  3 0`,
    held: [4, 3],
  },
  {
    name: "a file's page with buffers, mapped",
    make(watched) {
      const folio = watched.file(bufferMigrateFolio);
      const mapping = watched.vm.cache.folioMapping(folio);
      assert.ok(mapping !== null);
      attachBuffers(watched.vm.mem, mapping, folio);
      mapFilePage(watched.vm, mapping, folio);
      return folio;
    },
    steps: `
      before   3 1
      isolated 4 1
      asked    4 1
      owner    3 0  1 0
      copied   1 0  3 0
      remapped 1 0  4 1
      over     0 0  3 1`,
    held: [4, 3],
  },
  {
    name: "a file's folio of four pages, each mapped",
    make(watched) {
      const folio = watched.file(migrateFolio, 2);
      const mapping = watched.vm.cache.folioMapping(folio);
      assert.ok(mapping !== null);
      mapFilePage(watched.vm, mapping, folio);
      return folio;
    },
    steps: `
      before   8 4
      isolated 9 4
      asked    9 4
      owner    5 0  1 0
      copied   1 0  5 0
      remapped 1 0  6 1
      remapped 1 0  7 2
      remapped 1 0  8 3
      remapped 1 0  9 4
      over     0 0  8 4`,
    held: [6, 5],
  },
  {
    name: "a driver's page",
    make({ vm }) {
      const driver = new SmallDriver(vm.cache);
      return driver.pageOf(driver.add(1));
    },
    steps: `
      before   1 0
      isolated 2 0
      asked    2 0
      copied   2 0  1 0
      over     0 0  1 0`,
    held: "no matter",
  },
  {
    name: "a private huge page of a pool",
    make(watched) {
      const { vm } = watched;
      watched.takeFromPool();
      return touchHuge(vm, mapHuge(vm, vm.createMm("a process"), 1), 0, 1);
    },
    steps: `
      before   1 1
      isolated 2 1
      asked    2 1
      copied   1 0  1 0
      remapped 1 0  2 1
      over     0 0  1 1`,
    held: [2, 1],
  },
  {
    // Its cache holds one reference, not one a page.
    name: "a file's huge page of a pool",
    make(watched) {
      const { vm } = watched;
      const hstate = watched.takeFromPool();
      const ops = { migrateFolio: watched.owner(hugetlbfsMigrateFolio) };
      const file = createHugetlbFile(vm, hstate, "a file", ops);
      return touchHuge(vm, mapHugeFile(vm, vm.createMm("a process"), file, 1), 0, 1);
    },
    steps: `
      before   2 1
      isolated 3 1
      asked    3 1
      owner    2 0  1 0
      copied   1 0  2 0
      remapped 1 0  3 1
      over     0 0  2 1`,
    held: [3, 2],
  },
];

for (const { name, make, steps, held } of KINDS) {
  test(`${name}: ${lines(steps).length} steps`, () => {
    const watched = new WatchedMove(counts);
    assert.deepEqual(watched.move(make(watched)), lines(steps));
    assert.equal(watched.call.target.given.length, 1);
  });

  test(`${name}, held by somebody else`, () => {
    const watched = new WatchedMove(counts);
    const { call, vm } = watched;
    const src = make(watched);
    const [before] = lines(steps);
    const [references, mappings] = before.split(" ").slice(1).map(Number);
    folioGet(vm.mem, src);
    watched.move(src);
    const after = [vm.mem.refcount[src], folioMapcount(vm.mem, src)];
    if (held === "no matter") {
      assert.deepEqual(after, [1, 0], "whoever held it holds what is left of it");
      assert.deepEqual(call.left, []);
      return;
    }
    assert.deepEqual(after, [references + 2, mappings], "the isolation's and somebody's");
    assert.deepEqual(call.left, [src]);
    const [found, expected] = held;
    const refusal = { name: "refcount", found, expected };
    assert.deepEqual(vm.mem.events.refusals.standing.get(src), refusal);
    assert.equal(vm.mem.events.refusals.counts.refcount, 10);
    const inUse = call.target.given.filter((dst) => vm.mem.refcount[dst] > 0);
    assert.deepEqual(inUse, [], "each new folio went back");
  });
}
