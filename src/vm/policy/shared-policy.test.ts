/** Policies of what is not a process's own page: files, pages that come back from swap. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lruAddDrain } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { MemoryDevice } from "../../pagecache/device/block-device.ts";
import { smallFile } from "../../pagecache/small-file.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import type { Mm, Vma } from "../mm.ts";
import { smallVm } from "../small-vm.ts";
import { pageOut, smallSwap } from "../swap/small-swap.ts";
import type { Vm } from "../vm.ts";
import type { Mempolicy } from "./mempolicy.ts";
import { allocSharedFolio } from "./policy-node.ts";
import { mbindPolicy, setMempolicy } from "./set-policy.ts";
import { SharedPolicy } from "./shared-policy.ts";

const PAGES = 6;

/** Three nodes of 32 frames, the processor on the first. */
function threeNodes(): Vm {
  const nodes = [0, 1, 2];
  return smallVm({
    pageCount: 96,
    zones: nodes.map((node) => ({ startPfn: 32 * node, spanned: 32, node })),
    distances: nodes.map((from) => nodes.map((to) => 10 + 10 * Math.abs(from - to))),
  });
}

function diskFile(vm: Vm): AddressSpace {
  return smallFile(vm.cache, new MemoryDevice(vm.mem), PAGES);
}

function mapInto(vm: Vm, file: AddressSpace): { mm: Mm; vma: Vma } {
  const mm = vm.createMm(`process ${vm.mms.length}`);
  return { mm, vma: vm.mapFile(mm, { ...mm.freeRange(PAGES), pgoff: 0 }, file) };
}

/** By page: the node of the folio in the file's cache. */
function nodesOf(vm: Vm, file: AddressSpace): (number | null)[] {
  return Array.from({ length: PAGES }, (_, offset) => {
    const folio = file.folios.load(offset);
    return folio === null ? null : vm.mem.nodeOf(folio).id;
  });
}

function policy(mode: Mempolicy["mode"], nodes: readonly number[]): Mempolicy {
  return { mode, kind: "remapped", nodes, userNodes: nodes, allowed: [0, 1, 2] };
}

test("a file's pages come by the policy of the process that faults, and by no other's", () => {
  const vm = threeNodes();
  const file = diskFile(vm);
  Object.assign(file.faultReadahead, { pagesMax: 0 });
  const [bound, plain] = [mapInto(vm, file), mapInto(vm, file)];
  assert.equal(setMempolicy(vm, bound.mm, { mode: "bind", nodes: [2] }), "done");
  for (const page of [0, 1]) runToEnd(readUser(vm, bound.mm, bound.vma.startVpn + page, 0));
  runToEnd(readUser(vm, plain.mm, plain.vma.startVpn + 2, 0));
  assert.deepEqual(nodesOf(vm, file), [2, 2, 0, null, null, null]);
  assert.equal(vm.mem.taskAlloc, null);
});

test("interleaved file pages go by the process's count, whatever their offsets", () => {
  const vm = threeNodes();
  const file = diskFile(vm);
  Object.assign(file.faultReadahead, { pagesMax: 0 });
  const { mm, vma } = mapInto(vm, file);
  assert.equal(setMempolicy(vm, mm, { mode: "interleave", nodes: [0, 1, 2] }), "done");
  for (const page of [4, 0, 3]) runToEnd(readUser(vm, mm, vma.startVpn + page, 0));
  assert.deepEqual(nodesOf(vm, file), [1, null, null, 2, 0, null]);
});

test("a private copy of a file's page comes by the policy of its VMA", () => {
  const vm = threeNodes();
  const file = diskFile(vm);
  const mm = vm.createMm("a process");
  const vma = vm.mapFilePrivate(mm, { ...mm.freeRange(PAGES), pgoff: 0 }, file);
  const { startVpn, endVpn } = vma;
  assert.equal(mbindPolicy(vm, mm, startVpn, endVpn, { mode: "bind", nodes: [1] }), "done");
  assert.equal(runToEnd(writeUser(vm, mm, startVpn, 0, 1)), "done");
  const page = vm.mem.pfn(vm.tables.pfn(mm.directory.find(startVpn)));
  assert.equal(vm.mem.nodeOf(page).id, 1);
  assert.equal(nodesOf(vm, file)[0], 0);
});

test("a page that comes back from swap comes by the policy of its VMA", () => {
  const vm = threeNodes();
  smallSwap(vm);
  const mm = vm.createMm("a process");
  const { startVpn, endVpn } = vm.mapAnonymous(mm, mm.freeRange(1));
  runToEnd(writeUser(vm, mm, startVpn, 0, 1));
  lruAddDrain(vm.mem);
  const entry = mm.directory.find(startVpn);
  assert.equal(runToEnd(pageOut(vm, vm.tables.pfn(entry) as Folio)), "freed");
  assert.equal(mbindPolicy(vm, mm, startVpn, endVpn, { mode: "bind", nodes: [2] }), "done");
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 1);
  assert.equal(vm.mem.nodeOf(vm.mem.pfn(vm.tables.pfn(entry))).id, 2);
});

test("shared memory has its own policies by offset, then the task's, then none", () => {
  const vm = threeNodes();
  const file = vm.cache.createMapping("shm", {});
  const shared = new SharedPolicy();
  vm.sharedPolicies.set(file, shared);
  shared.set(0, 3, policy("bind", [2]));
  shared.set(1, 2, policy("bind", [1]));
  const nodeAt = (offset: number): number => {
    const folio = runToEnd(allocSharedFolio(vm, file, offset, 0));
    assert.ok(folio !== null);
    return vm.mem.nodeOf(folio).id;
  };
  assert.deepEqual([0, 1, 2, 3].map(nodeAt), [2, 1, 2, 0]);
  shared.set(2, 6, policy("interleave", [0, 1, 2]));
  assert.deepEqual([1, 2, 3, 4].map(nodeAt), [1, 2, 0, 1]);
  shared.set(0, 6, null);
  assert.deepEqual([0, 1].map(nodeAt), [0, 0]);
  assert.equal(shared.lookUp(0), null);
});
