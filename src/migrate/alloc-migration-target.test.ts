import assert from "node:assert/strict";
import { test } from "node:test";
import { folioOrder } from "../memory/folio.ts";
import { GFP, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, type GfpRequest } from "../memory/gfp.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { allocMigrationTarget } from "./alloc-migration-target.ts";

const DISTANCES = [
  [10, 20],
  [20, 10],
];

/** Two nodes of 64 frames, the second a Movable zone. */
function twoNodes(): Vm {
  return smallVm({
    pageCount: 128,
    zones: [
      { startPfn: 0, spanned: 64 },
      { startPfn: 64, spanned: 64, node: 1, type: "Movable" },
    ],
    distances: DISTANCES,
  });
}

function source(mem: Memory, node: number, order = 0): Folio {
  const folio = folioAlloc(mem, { ...movableRequest(node), order });
  assert.ok(folio !== null);
  return folio;
}

test("the new folio is as large as the old, on the node that is asked for or on its own", () => {
  const vm = twoNodes();
  const { mem } = vm;
  const control = { node: null, gfp: GFP_HIGHUSER_MOVABLE };
  for (const node of [0, 1]) {
    const dst = runToEnd(allocMigrationTarget(vm, source(mem, node, 2), control));
    assert.ok(dst !== null);
    assert.deepEqual([mem.nodeOf(dst).id, folioOrder(mem, dst)], [node, 2]);
  }
  const there = runToEnd(allocMigrationTarget(vm, source(mem, 0), { ...control, node: 1 }));
  assert.ok(there !== null && mem.nodeOf(there).id === 1);
});

test("a folio out of a Movable zone may go to one; another only if its caller says so", () => {
  const vm = twoNodes();
  const { mem } = vm;
  const control = { node: 1, gfp: GFP_KERNEL | GFP.movable | GFP.thisNode };
  assert.equal(runToEnd(allocMigrationTarget(vm, source(mem, 0), control)), null);
  assert.ok(runToEnd(allocMigrationTarget(vm, source(mem, 1), control)) !== null);
});

test("nodes outside the mask give nothing", () => {
  const vm = twoNodes();
  const { mem } = vm;
  const control = { node: 0, gfp: GFP_HIGHUSER_MOVABLE, nodes: [1] };
  const dst = runToEnd(allocMigrationTarget(vm, source(mem, 0), control));
  assert.ok(dst !== null && mem.nodeOf(dst).id === 1);
});

test("a large folio asks for no reclaim by kswapd and fails without a word", () => {
  const vm = twoNodes();
  const { mem } = vm;
  const src = source(mem, 0, 3);
  const asked: GfpRequest[] = [];
  mem.allocHooks.slowPath = function* (request: GfpRequest): Blocking<Pfn> {
    yield "asked";
    asked.push(request);
    return -1 as Pfn;
  };
  while (folioAlloc(mem, { ...movableRequest(0), order: 3, onlyNode: true }) !== null);
  const control = { node: 0, gfp: GFP_HIGHUSER_MOVABLE | GFP.thisNode };
  assert.equal(runToEnd(allocMigrationTarget(vm, src, control)), null);
  const [{ gfp, order, onlyNode }] = asked;
  assert.deepEqual([order, onlyNode], [3, true]);
  assert.equal(gfp & (GFP.directReclaim | GFP.noWarn), GFP.directReclaim | GFP.noWarn);
  assert.equal(gfp & GFP.kswapdReclaim, 0);
});
