/**
 * How processes say and ask where their pages are to come from, and what a cpuset does to that.
 *
 * What has a page already keeps it: nothing is moved here. Nodes in force are those that the cpuset
 * allows and that have memory. Linux: `set_mempolicy()`, `mbind()` without MPOL_MF_*,
 * `get_mempolicy()`, `mpol_rebind_task()`, `mpol_rebind_mm()`, mm/mempolicy.c, 6.1.
 */
import type { Errno } from "../../base/errno.ts";
import type { Memory } from "../../memory/memory.ts";
import { type AddressSpace, AS } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { FOLL, getUserPages, putUserPages } from "../gup.ts";
import type { Mm, Vma } from "../mm.ts";
import type { Vm } from "../vm.ts";
import {
  type Mempolicy,
  newMempolicy,
  type PolicyMode,
  type PolicyRequest,
  rebindMempolicy,
} from "./mempolicy.ts";
import { peekInterleaveNode } from "./policy-node.ts";
import { SharedPolicy } from "./shared-policy.ts";

/** The nodes that a process may get memory from, ascending. */
function allowedNodes(mem: Memory, mm: Mm): readonly number[] {
  return mem.nodes
    .filter(({ zones }) => zones.some(({ managed }) => managed > 0))
    .map(({ id }) => id)
    .filter((id) => mm.allowedNodes === null || mm.allowedNodes.includes(id));
}

/** For all of the process's memory that has no policy of its own. Linux: `set_mempolicy()`. */
export function setMempolicy(vm: Vm, mm: Mm, request: PolicyRequest): "done" | Errno {
  const policy = newMempolicy(request, allowedNodes(vm.mem, mm));
  if (typeof policy === "string") return policy;
  mm.policy = policy;
  if (policy?.mode === "interleave") mm.interleavePrevious = Number.MAX_SAFE_INTEGER;
  return "done";
}

/** For a stretch of virtual pages; "EFAULT" where it has a hole, unless back to the default. */
export function mbindPolicy(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
  request: PolicyRequest,
): "done" | Errno {
  const policy = newMempolicy(request, allowedNodes(vm.mem, mm));
  if (typeof policy === "string") return policy;
  if (startVpn >= endVpn) return "done";
  const covered = mm.vmas
    .map((vma) => Math.min(vma.endVpn, endVpn) - Math.max(vma.startVpn, startVpn))
    .reduce((sum, pages) => sum + Math.max(0, pages), 0);
  if (covered === 0 || (policy !== null && covered < endVpn - startVpn)) return "EFAULT";
  for (const vma of vm.isolateVmas(mm, startVpn, endVpn)) {
    vma.policy = policy;
    if (vma.mapping !== null) setSharedPolicy(vm, vma.mapping, vma, policy);
  }
  return "done";
}

/** Of shared memory the object has it too, for whoever maps it. Linux: `shmem_set_policy()`. */
function setSharedPolicy(
  { sharedPolicies }: Vm,
  mapping: AddressSpace,
  { pgoff, startVpn, endVpn }: Vma,
  policy: Mempolicy | null,
): void {
  if ((mapping.flags & AS.swapBacked) === 0) return;
  const shared = sharedPolicies.get(mapping) ?? new SharedPolicy();
  sharedPolicies.set(mapping, shared);
  shared.set(pgoff, pgoff + (endVpn - startVpn), policy);
}

/** The cpuset of a process allows other nodes from now on; null for all. */
export function rebindPolicies(vm: Vm, mm: Mm, nodes: readonly number[] | null): void {
  mm.allowedNodes = nodes;
  const allowed = allowedNodes(vm.mem, mm);
  const rebind = (policy: Mempolicy | null): Mempolicy | null =>
    policy === null ? null : rebindMempolicy(policy, allowed);
  mm.policy = rebind(mm.policy);
  for (const vma of mm.vmas) vma.policy = rebind(vma.policy);
}

/** What `get_mempolicy()` says of a policy: of static and relative ones what was asked for. */
export interface PolicyAnswer {
  readonly mode: PolicyMode | "default";
  readonly nodes: readonly number[];
}

/** The policy at an address, or with null the process's. "EFAULT" where nothing is mapped. */
export function getMempolicy(mm: Mm, vpn: number | null): PolicyAnswer | Errno {
  let policy = mm.policy;
  if (vpn !== null) {
    const vma = mm.vmaAt(vpn);
    if (vma === null) return "EFAULT";
    policy = vma.policy ?? policy;
  }
  if (policy === null) return { mode: "default", nodes: [] };
  const { mode, kind, nodes, userNodes } = policy;
  return { mode, nodes: kind === "remapped" ? nodes : userNodes };
}

/**
 * With an address the node of its page, which is faulted in; with null the node of the next page
 * that interleaving gives, "EINVAL" under another policy. Linux: `get_mempolicy(MPOL_F_NODE)`.
 */
export function* getPolicyNode(vm: Vm, mm: Mm, vpn: number | null): Blocking<number | Errno> {
  if (vpn === null) {
    return mm.policy?.mode === "interleave" ? peekInterleaveNode(mm, mm.policy) : "EINVAL";
  }
  const pages = yield* getUserPages(vm, mm, vpn, 1, FOLL.get);
  if (typeof pages === "string") return pages;
  const { id } = vm.mem.nodeOf(pages[0]);
  putUserPages(vm.mem, pages);
  return id;
}
