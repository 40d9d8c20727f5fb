/**
 * Which nodes a page comes from, by the policy of its VMA, of its process, or neither.
 *
 * A page of a VMA is interleaved by its offset, so that its node does not depend on who comes
 * first, also where the policy is the process's; only what belongs to no VMA goes by the process's
 * counter: pages of files that a call of the process brings in. Shared memory has a policy of its
 * own, by offset. Linux: `vma_alloc_folio()`, `alloc_pages()`, mm/mempolicy.c, 6.1. Not here: home
 * nodes, `MPOL_F_NUMA_BALANCING`, and policies of shared memory in copies that private mappings of
 * it make.
 */

import type { TaskAlloc } from "../../memory/alloc-hooks.ts";
import { GFP, GFP_HIGHUSER_MOVABLE, gfpRequest } from "../../memory/gfp.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioAllocGfp } from "../../memory/page-alloc.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { inContext } from "../../sched/run.ts";
import type { Mm, Vma } from "../mm.ts";
import { HUGE_PAGES } from "../page-tables.ts";
import type { Vm } from "../vm.ts";
import type { Mempolicy } from "./mempolicy.ts";

/** A folio for a page of the VMA; null without memory. `near`: the processor's node. */
export function* allocVmaFolio(
  mem: Memory,
  vma: Vma,
  vpn: number,
  order: number,
  gfp: number,
): Blocking<Folio | null> {
  const near = mem.nodeOfCpu[mem.cpu];
  const policy = vma.policy ?? vma.mm.policy;
  if (policy === null) return yield* folioAllocGfp(mem, gfpRequest(gfp, order, near));
  return yield* allocAtOffset(
    mem,
    policy,
    (vma.pgoff + (vpn - vma.startVpn)) >>> order,
    order,
    gfp,
  );
}

/**
 * A folio that is no VMA's, by the policy of the process: interleaved by its count, or for a page
 * of shared memory by `offset`. Linux: `alloc_pages()`.
 */
export function* allocTaskFolio(
  mem: Memory,
  mm: Mm,
  order: number,
  gfp: number,
  offset: number | null = null,
): Blocking<Folio | null> {
  const near = mem.nodeOfCpu[mem.cpu];
  const { policy } = mm;
  if (policy === null) return yield* folioAllocGfp(mem, gfpRequest(gfp, order, near));
  if (policy.mode === "interleave" && offset === null) {
    const node = nextInterleaveNode(mm, policy);
    return yield* folioAllocGfp(mem, gfpRequest(gfp, order, node));
  }
  return yield* allocAtOffset(mem, policy, offset ?? 0, order, gfp);
}

/** A folio of shared memory by its policy, or by that of the task. Linux: `shmem_alloc_folio()`. */
export function* allocSharedFolio(
  { mem, sharedPolicies }: Vm,
  mapping: AddressSpace,
  offset: number,
  order: number,
): Blocking<Folio | null> {
  const policy = sharedPolicies.get(mapping)?.lookUp(offset) ?? null;
  // Files begin at different nodes.
  const spread = (offset >>> order) + mapping.id;
  if (policy !== null) {
    return yield* allocAtOffset(mem, policy, spread, order, GFP_HIGHUSER_MOVABLE);
  }
  const { taskAlloc } = mem;
  if (taskAlloc !== null) return yield* taskAlloc(order, GFP_HIGHUSER_MOVABLE, spread);
  const near = mem.nodeOfCpu[mem.cpu];
  return yield* folioAllocGfp(mem, gfpRequest(GFP_HIGHUSER_MOVABLE, order, near));
}

/** Runs a call of the process: what it allocates that is no VMA's goes by the process's policy. */
export function* withTaskPolicy<T>(mem: Memory, mm: Mm, start: () => Blocking<T>): Blocking<T> {
  const outer = mem.taskAlloc;
  if (mm.policy === null && outer === null) return yield* start();
  const taskAlloc: TaskAlloc | null =
    mm.policy === null ? null : (order, gfp, offset) => allocTaskFolio(mem, mm, order, gfp, offset);
  const context = {
    enter: () => {
      mem.taskAlloc = taskAlloc;
    },
    leave: () => {
      mem.taskAlloc = outer;
    },
  };
  return yield* inContext(context, start);
}

/** Where to look for a huge page of a pool. */
export interface HugePlace {
  readonly node: number;
  /** These nodes alone; all if undefined. */
  readonly nodes: readonly number[] | undefined;
  /** If none of `nodes` has one, any other will do. */
  readonly orAny: boolean;
}

/** By the policy of the VMA, or of its process. Linux: `huge_node()`. */
export function hugeNode(mem: Memory, vma: Vma, vpn: number): HugePlace {
  const near = mem.nodeOfCpu[mem.cpu];
  const policy = vma.policy ?? vma.mm.policy;
  if (policy === null) return { node: near, nodes: undefined, orAny: false };
  if (policy.mode === "interleave") {
    const offset = vma.pgoff + (vpn - vma.startVpn);
    const node = interleaveNode(policy, Math.floor(offset / HUGE_PAGES));
    return { node, nodes: undefined, orAny: false };
  }
  const orAny = policy.mode === "preferred-many";
  return { node: policyNode(policy, near), nodes: policyNodemask(policy), orAny };
}

function* allocAtOffset(
  mem: Memory,
  policy: Mempolicy,
  offset: number,
  order: number,
  gfp: number,
): Blocking<Folio | null> {
  if (policy.mode === "interleave") {
    const node = interleaveNode(policy, offset);
    return yield* folioAllocGfp(mem, gfpRequest(gfp, order, node));
  }
  return yield* allocByPolicy(mem, policy, order, gfp, mem.nodeOfCpu[mem.cpu]);
}

function* allocByPolicy(
  mem: Memory,
  policy: Mempolicy,
  order: number,
  gfp: number,
  near: number,
): Blocking<Folio | null> {
  const node = policyNode(policy, near);
  const nodes = policyNodemask(policy);
  if (policy.mode !== "preferred-many") {
    return yield* folioAllocGfp(mem, gfpRequest(gfp, order, node, nodes));
  }
  // The preferred nodes without waiting and without a word; then all of them, as any other.
  const lightly = (gfp | GFP.noWarn) & ~(GFP.directReclaim | GFP.nofail);
  const folio = yield* folioAllocGfp(mem, gfpRequest(lightly, order, node, nodes));
  return folio ?? (yield* folioAllocGfp(mem, gfpRequest(gfp, order, node)));
}

/** Where to begin. Linux: `policy_node()`. */
export function policyNode(policy: Mempolicy, near: number): number {
  return policy.mode === "preferred" ? policy.nodes[0] : near;
}

/** The nodes that will do; all if undefined. Linux: `policy_nodemask()`. */
export function policyNodemask(policy: Mempolicy): readonly number[] | undefined {
  return policy.mode === "bind" || policy.mode === "preferred-many" ? policy.nodes : undefined;
}

/** By the offset of the page. Linux: `offset_il_node()`. */
function interleaveNode({ nodes }: Mempolicy, offset: number): number {
  return nodes[offset % nodes.length];
}

/** The next after the last, and counts on. Linux: `interleave_nodes()`. */
function nextInterleaveNode(mm: Mm, policy: Mempolicy): number {
  const next = peekInterleaveNode(mm, policy);
  mm.interleavePrevious = next;
  return next;
}

/** The node of the next page that is no VMA's. */
export function peekInterleaveNode({ interleavePrevious }: Mm, { nodes }: Mempolicy): number {
  return nodes.find((node) => node > interleavePrevious) ?? nodes[0];
}
