import assert from "node:assert/strict";
import { test } from "node:test";
import { folioPut } from "../../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE } from "../../memory/gfp.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { forkMm } from "../fork.ts";
import type { Mm } from "../mm.ts";
import { smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import {
  newMempolicy,
  type PolicyRequest,
  rebindMempolicy,
  relativeNodes,
  remapNodes,
} from "./mempolicy.ts";
import { allocTaskFolio, policyNode, policyNodemask } from "./policy-node.ts";
import {
  getMempolicy,
  getPolicyNode,
  mbindPolicy,
  rebindPolicies,
  setMempolicy,
} from "./set-policy.ts";

const AT = 0x200;

/** Four nodes of 16 frames, the processor on the first, and a process with 12 pages at AT. */
function fourNodes(): { vm: Vm; mm: Mm } {
  const nodes = [0, 1, 2, 3];
  const vm = smallVm({
    pageCount: 64,
    zones: nodes.map((node) => ({ startPfn: 16 * node, spanned: 16, node })),
    distances: nodes.map((from) => nodes.map((to) => 10 + 10 * Math.abs(from - to))),
  });
  const mm = vm.createMm("a process");
  vm.mapAnonymous(mm, { startVpn: AT, endVpn: AT + 12, pgoff: AT });
  return { vm, mm };
}

/** The node of each page, which is written to first. */
function nodesOf(vm: Vm, mm: Mm, ...pages: readonly number[]): number[] {
  return pages.map((at) => {
    assert.equal(runToEnd(writeUser(vm, mm, AT + at, 0, 1)), "done");
    const page = vm.mem.pfn(vm.tables.pfn(mm.directory.find(AT + at)));
    return vm.mem.nodeOf(page).id;
  });
}

test("without a policy, and by one that says local, pages come from the processor's node", () => {
  const { vm, mm } = fourNodes();
  assert.deepEqual(nodesOf(vm, mm, 0, 1), [0, 0]);
  assert.equal(setMempolicy(vm, mm, { mode: "local", nodes: [] }), "done");
  assert.deepEqual(nodesOf(vm, mm, 2, 3), [0, 0]);
  assert.deepEqual(getMempolicy(mm, null), { mode: "local", nodes: [] });
});

test("a preferred node is begun with, and others follow when it is full", () => {
  const { vm, mm } = fourNodes();
  vm.mapAnonymous(mm, { startVpn: AT + 12, endVpn: AT + 20, pgoff: AT + 12 });
  assert.equal(setMempolicy(vm, mm, { mode: "preferred", nodes: [2, 3] }), "done");
  const nodes = nodesOf(vm, mm, ...Array(18).keys());
  assert.deepEqual([nodes.indexOf(2), nodes.lastIndexOf(2)], [0, 15]);
  assert.ok(nodes.slice(16).every((node) => node !== 2));
  assert.deepEqual(getMempolicy(mm, null), { mode: "preferred", nodes: [2] });
});

test("bound memory comes from its nodes, the nearest first, and from no other", () => {
  const { vm, mm } = fourNodes();
  vm.mapAnonymous(mm, { startVpn: AT + 12, endVpn: AT + 40, pgoff: AT + 12 });
  assert.equal(mbindPolicy(vm, mm, AT, AT + 40, { mode: "bind", nodes: [2, 3] }), "done");
  const nodes = nodesOf(vm, mm, ...Array(32).keys());
  assert.deepEqual(new Set(nodes.slice(0, 16)), new Set([2]));
  assert.deepEqual(new Set(nodes.slice(16)), new Set([3]));
  assert.equal(runToEnd(writeUser(vm, mm, AT + 32, 0, 1)), "SIGBUS");
});

test("of several preferred nodes the nearest are taken, and then any other", () => {
  const { vm, mm } = fourNodes();
  vm.mapAnonymous(mm, { startVpn: AT + 12, endVpn: AT + 40, pgoff: AT + 12 });
  const request: PolicyRequest = { mode: "preferred-many", nodes: [1, 3] };
  assert.equal(setMempolicy(vm, mm, request), "done");
  const nodes = nodesOf(vm, mm, ...Array(33).keys());
  assert.deepEqual(new Set(nodes.slice(0, 16)), new Set([1]));
  assert.deepEqual(new Set(nodes.slice(16, 32)), new Set([3]));
  assert.equal(nodes[32], 0);
});

test("a VMA's pages are interleaved by their offset, whoever comes first and after a split", () => {
  const { vm, mm } = fourNodes();
  const request: PolicyRequest = { mode: "interleave", nodes: [1, 2, 3] };
  assert.equal(mbindPolicy(vm, mm, AT, AT + 12, request), "done");
  // AT is 512, which leaves 2 by 3.
  assert.deepEqual(nodesOf(vm, mm, 5, 0, 4), [2, 3, 1]);
  const [vma] = mm.vmas;
  vm.splitVma(vma, AT + 7);
  assert.deepEqual(nodesOf(vm, mm, 8, 7), [2, 1]);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.deepEqual(nodesOf(vm, child, 9), [3]);
});

test("under a process's policy its VMAs are interleaved by offset, all else by count", () => {
  const { vm, mm } = fourNodes();
  const request: PolicyRequest = { mode: "interleave", nodes: [0, 2] };
  assert.equal(setMempolicy(vm, mm, request), "done");
  assert.deepEqual(nodesOf(vm, mm, 1, 0, 3), [2, 0, 2]);
  const counted: number[] = [];
  for (let at = 0; at < 3; at++) {
    assert.equal(runToEnd(getPolicyNode(vm, mm, null)), [0, 2][at % 2]);
    const folio = runToEnd(allocTaskFolio(vm.mem, mm, 0, GFP_HIGHUSER_MOVABLE));
    assert.ok(folio !== null);
    counted.push(vm.mem.nodeOf(folio).id);
    folioPut(vm.mem, folio);
  }
  assert.deepEqual(counted, [0, 2, 0]);
  setMempolicy(vm, mm, { mode: "bind", nodes: [3] });
  const bound = runToEnd(allocTaskFolio(vm.mem, mm, 0, GFP_HIGHUSER_MOVABLE));
  assert.ok(bound !== null && vm.mem.nodeOf(bound).id === 3);
});

test("a VMA's policy comes before the process's; the default gives way to it again", () => {
  const { vm, mm } = fourNodes();
  setMempolicy(vm, mm, { mode: "bind", nodes: [1] });
  assert.equal(mbindPolicy(vm, mm, AT + 4, AT + 8, { mode: "bind", nodes: [3] }), "done");
  assert.deepEqual(nodesOf(vm, mm, 3, 4, 7, 8), [1, 3, 3, 1]);
  assert.deepEqual(getMempolicy(mm, AT + 5), { mode: "bind", nodes: [3] });
  assert.equal(mbindPolicy(vm, mm, AT, AT + 12, { mode: "default", nodes: [] }), "done");
  assert.deepEqual(nodesOf(vm, mm, 5), [1]);
  assert.equal(getMempolicy(mm, AT + 50), "EFAULT");
  assert.equal(runToEnd(getPolicyNode(vm, mm, AT + 4)), 3, "where it is, not where it would be");
  assert.equal(runToEnd(getPolicyNode(vm, mm, AT + 50)), "EFAULT");
  assert.equal(runToEnd(getPolicyNode(vm, mm, null)), "EINVAL", "nothing is interleaved");
  assert.equal(runToEnd(readUser(vm, mm, AT + 4, 0)), 1);
});

test("what is refused: modes without nodes, nodes that are not allowed, holes", () => {
  const { vm, mm } = fourNodes();
  const set = (request: PolicyRequest): unknown => setMempolicy(vm, mm, request);
  assert.equal(set({ mode: "bind", nodes: [] }), "EINVAL");
  assert.equal(set({ mode: "default", nodes: [1] }), "EINVAL");
  assert.equal(set({ mode: "local", nodes: [1] }), "EINVAL");
  assert.equal(set({ mode: "preferred", nodes: [], kind: "static" }), "EINVAL");
  assert.equal(set({ mode: "preferred", nodes: [] }), "done", "the same as local");
  rebindPolicies(vm, mm, [0, 1]);
  assert.equal(set({ mode: "interleave", nodes: [2, 3] }), "EINVAL");
  assert.equal(set({ mode: "bind", nodes: [1, 2] }), "done");
  assert.deepEqual(getMempolicy(mm, null), { mode: "bind", nodes: [1] });
  const bind: PolicyRequest = { mode: "bind", nodes: [1] };
  assert.equal(mbindPolicy(vm, mm, AT, AT + 13, bind), "EFAULT");
  assert.equal(mbindPolicy(vm, mm, AT + 20, AT + 21, { mode: "default", nodes: [] }), "EFAULT");
  assert.equal(mbindPolicy(vm, mm, AT, AT + 13, { mode: "default", nodes: [] }), "done");
  assert.equal(mbindPolicy(vm, mm, AT, AT, bind), "done", "nothing is asked for");
});

test("relative nodes are places among the allowed ones, again from the first past the last", () => {
  assert.deepEqual(relativeNodes([0, 2], [1, 3, 5]), [1, 5]);
  assert.deepEqual(relativeNodes([1, 4], [2, 4, 6]), [4]);
  assert.deepEqual(remapNodes([1, 2], [0, 1, 2], [4, 5, 6]), [5, 6]);
  assert.deepEqual(remapNodes([2, 3], [2, 3], [7]), [7]);
  assert.deepEqual(remapNodes([9], [2, 3], [7]), [9]);
});

test("where an allocation begins, and what nodes will do", () => {
  const answers = (["preferred", "bind", "interleave", "preferred-many"] as const).map((mode) => {
    const policy = newMempolicy({ mode, nodes: [1, 2] }, [0, 1, 2]);
    assert.ok(policy !== null && typeof policy !== "string");
    return [mode, policyNode(policy, 0), policyNodemask(policy)];
  });
  assert.deepEqual(answers, [
    ["preferred", 1, undefined],
    ["bind", 0, [1, 2]],
    ["interleave", 0, undefined],
    ["preferred-many", 0, [1, 2]],
  ]);
});

/** What is in force for nodes 1 and 2 of four, and after the cpuset has changed. */
function afterRebind(request: Omit<PolicyRequest, "nodes">, allowed: readonly number[]): unknown {
  const policy = newMempolicy({ ...request, nodes: [1, 2] }, [0, 1, 2, 3]);
  assert.ok(policy !== null && typeof policy !== "string");
  return rebindMempolicy(policy, allowed).nodes;
}

test("when the cpuset changes, nodes are carried over by place, or asked for anew, by kind", () => {
  const bind = { mode: "bind" } as const;
  assert.deepEqual(afterRebind(bind, [4, 5, 6]), [5, 6]);
  assert.deepEqual(afterRebind(bind, [4]), [4]);
  assert.deepEqual(afterRebind({ ...bind, kind: "static" }, [2, 3]), [2]);
  assert.deepEqual(afterRebind({ ...bind, kind: "static" }, [4, 5]), [4, 5], "none is allowed");
  assert.deepEqual(afterRebind({ ...bind, kind: "relative" }, [3, 5, 7]), [5, 7]);
  assert.deepEqual(afterRebind({ mode: "preferred" }, [3]), [1], "preferred is kept");
  assert.deepEqual(afterRebind({ mode: "preferred-many" }, [3]), [1, 2]);
});

test("a cpuset that changes rebinds the process's policy and those of its VMAs", () => {
  const { vm, mm } = fourNodes();
  setMempolicy(vm, mm, { mode: "interleave", nodes: [0, 1], kind: "static" });
  mbindPolicy(vm, mm, AT, AT + 2, { mode: "bind", nodes: [0] });
  rebindPolicies(vm, mm, [1, 3]);
  assert.deepEqual(mm.policy?.nodes, [1]);
  assert.deepEqual(getMempolicy(mm, null), { mode: "interleave", nodes: [0, 1] }, "as asked for");
  assert.deepEqual(getMempolicy(mm, AT), { mode: "bind", nodes: [1] });
  assert.deepEqual(nodesOf(vm, mm, 0, 5), [1, 1]);
  rebindPolicies(vm, mm, null);
  assert.deepEqual(mm.policy?.nodes, [0, 1]);
});
