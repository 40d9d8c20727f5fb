/** Out of the pools of which nodes a process's huge pages come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../../sched/run.ts";
import { writeUser } from "../fault.ts";
import type { Mm } from "../mm.ts";
import { mbindPolicy, setMempolicy } from "../policy/set-policy.ts";
import { smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { HUGETLB_PAGES } from "./hstate.ts";
import { hugetlbShape, mapHuge, smallPool } from "./small-hugetlb.ts";

/** Three nodes, of which each has two huge pages, and a process that was promised four. */
function newScene(): { vm: Vm; mm: Mm; startVpn: number; endVpn: number } {
  const vm = smallVm(hugetlbShape(3, 2));
  smallPool(vm, [2, 2, 2]);
  const mm = vm.createMm("a process");
  const { startVpn, endVpn } = mapHuge(vm, mm, 4);
  return { vm, mm, startVpn, endVpn };
}

/** By huge page, as it is first written to: its node, or the signal. */
function touch(vm: Vm, mm: Mm, startVpn: number, pages: readonly number[]): unknown[] {
  return pages.map((page) => {
    const vpn = startVpn + page * HUGETLB_PAGES;
    const written = runToEnd(writeUser(vm, mm, vpn, 0, 1));
    if (written !== "done") return written;
    return vm.mem.nodeOf(vm.mem.pfn(vm.tables.pfn(mm.directory.findHuge(vpn)))).id;
  });
}

test("without a policy they come from the nearest node that has one", () => {
  const { vm, mm, startVpn } = newScene();
  assert.deepEqual(touch(vm, mm, startVpn, [0, 1, 2]), [0, 0, 1]);
});

test("bound ones come from their nodes or not at all", () => {
  const { vm, mm, startVpn, endVpn } = newScene();
  assert.equal(mbindPolicy(vm, mm, startVpn, endVpn, { mode: "bind", nodes: [2] }), "done");
  assert.deepEqual(touch(vm, mm, startVpn, [0, 1, 2]), [2, 2, "SIGBUS"]);
});

test("preferred nodes are begun with; others follow", () => {
  const { vm, mm, startVpn } = newScene();
  setMempolicy(vm, mm, { mode: "preferred", nodes: [1] });
  assert.deepEqual(touch(vm, mm, startVpn, [0, 1, 2]), [1, 1, 0]);
  const many = newScene();
  setMempolicy(many.vm, many.mm, { mode: "preferred-many", nodes: [2] });
  assert.deepEqual(touch(many.vm, many.mm, many.startVpn, [0, 1, 2]), [2, 2, 0]);
});

test("interleaved ones go by their place in the mapping", () => {
  const { vm, mm, startVpn } = newScene();
  setMempolicy(vm, mm, { mode: "interleave", nodes: [0, 1, 2] });
  const [first] = touch(vm, mm, startVpn, [0]) as number[];
  const expected = [1, 2, 3].map((page) => (first + page) % 3);
  assert.deepEqual(touch(vm, mm, startVpn, [1, 2, 3]), expected);
});
