/**
 * Which nodes a page comes from, by the policy of its VMA, of its process, or neither.
 *
 * A page of a VMA is interleaved by its offset, so that its node does not depend on who comes
 * first, also where the policy is the process's; only what belongs to no VMA goes by the process's
 * counter. Linux: `vma_alloc_folio()`, `alloc_pages()`, mm/mempolicy.c, 6.1. Not here: policies of
 * shared memory objects, home nodes, `MPOL_F_NUMA_BALANCING`.
 */

import { GFP, gfpRequest } from "../../memory/gfp.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioAllocGfp } from "../../memory/page-alloc.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Mm, Vma } from "../mm.ts";
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
  if (policy.mode === "interleave") {
    const node = interleaveNode(policy, (vma.pgoff + (vpn - vma.startVpn)) >>> order);
    return yield* folioAllocGfp(mem, gfpRequest(gfp, order, node));
  }
  return yield* allocByPolicy(mem, policy, order, gfp, near);
}

/** A folio that is no VMA's, by the policy of the process. Linux: `alloc_pages()`. */
export function* allocTaskFolio(
  mem: Memory,
  mm: Mm,
  order: number,
  gfp: number,
): Blocking<Folio | null> {
  const near = mem.nodeOfCpu[mem.cpu];
  const { policy } = mm;
  if (policy === null) return yield* folioAllocGfp(mem, gfpRequest(gfp, order, near));
  if (policy.mode === "interleave") {
    const node = nextInterleaveNode(mm, policy);
    return yield* folioAllocGfp(mem, gfpRequest(gfp, order, node));
  }
  return yield* allocByPolicy(mem, policy, order, gfp, near);
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
