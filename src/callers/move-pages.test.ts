/** move_pages(2): what each entry is told, what moves, and what is left when the call ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "../vm/fault.ts";
import type { Mm, Vma } from "../vm/mm.ts";
import { sharePage, smallVm, touchPage, type UserPage } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { type MovePagesResult, MPOL_MF, movePages } from "./move-pages.ts";

const UNTOUCHED = -9999;

interface World {
  readonly vm: Vm;
  readonly mm: Mm;
  readonly vma: Vma;
  readonly pages: UserPage[];
}

/** Three nodes, the last without memory, and a process with pages 0 to 3 of 6 on node 0. */
function world(): World {
  const vm = smallVm({
    pageCount: 128,
    zones: [
      { startPfn: 0, spanned: 64 },
      { startPfn: 64, spanned: 64, node: 1 },
    ],
    distances: [
      [10, 20, 20],
      [20, 10, 20],
      [20, 20, 10],
    ],
  });
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(6));
  const pages = [0, 1, 2, 3].map((at) => touchPage(vm, vma, vma.startVpn + at, at + 100));
  return { vm, mm, vma, pages };
}

function call(
  { vm, mm, vma }: World,
  pages: readonly number[],
  nodes: readonly number[] | null,
  flags: number = MPOL_MF.move,
): MovePagesResult & { status: number[] } {
  const status = new Int32Array(pages.length).fill(UNTOUCHED);
  const vpns = pages.map((page) => vma.startVpn + page);
  const request = { mm, pages: vpns, nodes, flags, capSysNice: true, status };
  return { ...runToEnd(movePages(vm, request)), status: [...status] };
}

function nodesOf({ vm, pages }: World): number[] {
  return pages.map(({ entry }) => vm.mem.nodeOf(vm.mem.pfn(vm.tables.pfn(entry))).id);
}

test("pages go where they are sent, with their contents", () => {
  const scene = world();
  const { value, errno, status } = call(scene, [0, 1, 2, 3], [1, 1, 0, 1]);
  assert.deepEqual([value, errno, status], [0, null, [1, 1, 0, 1]]);
  assert.deepEqual(nodesOf(scene), [1, 1, 0, 1]);
  for (const [at, { mm, vpn }] of scene.pages.entries()) {
    assert.equal(runToEnd(readUser(scene.vm, mm, vpn, 0)), at + 100);
  }
});

test("a call without nodes asks where pages are", () => {
  const scene = world();
  assert.deepEqual(call(scene, [0, 4, 1000], null).status, [0, -14, -14]);
});

test("what cannot be queued is told at once, and what was queued before it moves", () => {
  const scene = world();
  const { value, status } = call(scene, [0, 5, 1], [1, 1, 1]);
  assert.deepEqual([value, status], [0, [1, -14, 1]]);
});

test("a bad node ends the call, with the batch before it moved and the rest untouched", () => {
  for (const bad of [-1, 2, 7, 1024]) {
    const scene = world();
    const { value, errno, status } = call(scene, [0, 1, 2], [1, bad, 1]);
    assert.deepEqual([value, errno, status], [-1, "ENODEV", [1, UNTOUCHED, UNTOUCHED]]);
    assert.deepEqual(nodesOf(scene), [1, 0, 0, 0]);
  }
});

test("a page named twice is busy the second time", () => {
  assert.deepEqual(call(world(), [0, 0], [1, 1]).status, [1, -16]);
});

test("a page that others map moves only if all may be moved", () => {
  const scene = world();
  sharePage(scene.vm, scene.pages[0]);
  assert.deepEqual(call(scene, [0], [1]).status, [-13]);
  assert.deepEqual(call(scene, [0], [1], MPOL_MF.moveAll).status, [1]);
});

test("a page in somebody's hands stays: no status, and the count of those left", () => {
  const scene = world();
  const { vm, pages } = scene;
  folioGet(vm.mem, pages[1].folio);
  const first = call(scene, [0, 1, 2], [1, 1, 1]);
  assert.deepEqual([first.value, first.status], [1, [UNTOUCHED, UNTOUCHED, UNTOUCHED]]);
  assert.deepEqual(nodesOf(scene), [1, 0, 1, 0]);
  assert.equal(vm.mem.events.vmstat.snapshot().pgmigrate_fail, 1);
  // The batch ends at the change of node: page 3 is left untried and counts.
  const second = call(scene, [1, 3], [1, 0]);
  assert.deepEqual([second.value, second.status], [2, [UNTOUCHED, UNTOUCHED]]);
  folioPut(vm.mem, pages[1].folio);
});

test("flags and rights are looked at first", () => {
  const scene = world();
  assert.equal(call(scene, [0], [1], 0x1).errno, "EINVAL");
  const { vm, mm, vma } = scene;
  const request = { mm, pages: [vma.startVpn], nodes: [1], status: new Int32Array(1) };
  const without = { ...request, flags: MPOL_MF.moveAll, capSysNice: false };
  assert.equal(runToEnd(movePages(vm, without)).errno, "EPERM");
  const nobody = { ...request, mm: null, flags: 0, capSysNice: true };
  assert.equal(runToEnd(movePages(vm, nobody)).errno, "ESRCH");
});

test("no list, no isolated page and no disabled batch is left behind", () => {
  const scene = world();
  const { mem } = scene.vm;
  const lists = mem.listsInUse;
  call(scene, [0, 1, 5, 0], [1, 1, 1, -1]);
  assert.equal(mem.listsInUse, lists);
  assert.equal(mem.lruDisableCount, 0);
  for (const node of mem.nodes) assert.deepEqual([...node.isolatedPages], [0, 0]);
});
