import assert from "node:assert/strict";
import { test } from "node:test";
import { folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { chargeFolio, enablePageExt, setPageOwner } from "../memory/page-ext.ts";
import { smallMemory } from "../memory/small-memory.ts";
import { smallVm } from "../vm/small-vm.ts";
import { folioMigrateFlags } from "./folio-state.ts";
import { Caller } from "./small-caller.ts";

const CGROUP = 3;
const HANDLE = 0x1234;

test("a folio that moves takes its charge, its allocator and its last user along", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const src = caller.isolate(2);
  const ext = enablePageExt(mem);
  chargeFolio(mem, src, CGROUP);
  setPageOwner(mem, src, HANDLE);
  ext.lastCpupid[src] = 77;
  assert.equal(caller.migrate("sync", "numa_misplaced").notMoved, 0);
  const [dst] = caller.target.given;
  assert.deepEqual([ext.memcg[src], ext.memcg[dst], ext.charged[CGROUP]], [0, CGROUP, 4]);
  assert.deepEqual([ext.lastCpupid[src], ext.lastCpupid[dst]], [-1, 77]);
  for (let at = 0; at < 4; at++) {
    assert.deepEqual([ext.owner[src + at], ext.owner[dst + at]], [0, HANDLE], "freed, and moved");
    assert.deepEqual([ext.migrateReason[src + at], ext.migrateReason[dst + at]], [-1, 5]);
  }
});

test("a folio that stays keeps all of it, and says nothing of a move", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const src = caller.isolate();
  const ext = enablePageExt(mem);
  chargeFolio(mem, src, CGROUP);
  setPageOwner(mem, src, HANDLE);
  mem.refcount[src]++;
  assert.equal(caller.migrate("async").notMoved, 1);
  assert.deepEqual([ext.memcg[src], ext.owner[src]], [CGROUP, HANDLE]);
  assert.equal(ext.migrateReason[src], -1);
  const [dst] = caller.target.given;
  assert.deepEqual([ext.memcg[dst], ext.owner[dst]], [0, 0]);
});

test("where a folio changes between tiers its last user is forgotten", () => {
  const zones = [0, 1].map((node) => ({ startPfn: node * 512, spanned: 512, node }));
  const distances = [
    [10, 20],
    [20, 10],
  ];
  const mem = smallMemory({ pageCount: 1024, zones, distances });
  const folioOn = (node: number): Folio => {
    const folio = folioAlloc(mem, { ...movableRequest(node), onlyNode: true });
    assert.ok(folio !== null);
    return folio;
  };
  const ext = enablePageExt(mem);
  ext.slowNodes.add(1);
  const ways: [number, number, number][] = [
    [0, 0, 9],
    [0, 1, -1],
    [1, 0, -1],
    [1, 1, 9],
  ];
  for (const [from, to, expected] of ways) {
    const [src, dst] = [folioOn(from), folioOn(to)];
    ext.lastCpupid[src] = 9;
    folioMigrateFlags(mem, dst, src);
    assert.equal(ext.lastCpupid[dst], expected, `from node ${from} to node ${to}`);
  }
});

test("a charge ends with the folio, and is never made twice", () => {
  const { mem } = smallVm();
  const folio = folioAlloc(mem, { ...movableRequest(0), order: 3 });
  assert.ok(folio !== null);
  chargeFolio(mem, folio, CGROUP);
  assert.throws(() => chargeFolio(mem, folio, 4), /paid for twice/);
  assert.equal(mem.pageExt?.charged[CGROUP], 8);
  folioPut(mem, folio);
  assert.equal(mem.pageExt?.charged[CGROUP], 0);
});
