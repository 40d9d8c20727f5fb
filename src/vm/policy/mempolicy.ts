/**
 * Memory policies: from which nodes a process's pages are to come.
 *
 * A policy is a value: it is replaced, never changed, so VMAs that a split or a fork leaves share
 * it. What was asked for is kept beside what is in force, for when the allowed nodes change: with
 * "static" the asked-for nodes that are allowed, with "relative" the same places among the allowed
 * ones, with neither what was in force is carried over place by place. "preferred" and
 * "preferred-many" keep their nodes throughout: that only "bind" and "interleave" follow is from
 * memory of the kernel, and no record or reference bears it out.
 *
 * Linux: mm/mempolicy.c, 6.1: `mpol_new()`, `mpol_set_nodemask()`, `mpol_rebind_policy()`.
 */
import type { Errno } from "../../base/errno.ts";

/** Linux: MPOL_*, without MPOL_DEFAULT, which is to have no policy. */
export type PolicyMode = "preferred" | "bind" | "interleave" | "local" | "preferred-many";

/** What follows the allowed nodes. Linux: MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES. */
export type PolicyNodes = "remapped" | "static" | "relative";

export interface Mempolicy {
  readonly mode: PolicyMode;
  readonly kind: PolicyNodes;
  /** In force: ids, ascending. */
  readonly nodes: readonly number[];
  /** As asked for. */
  readonly userNodes: readonly number[];
  /** The allowed nodes that `nodes` was made for. */
  readonly allowed: readonly number[];
}

/** What a process asks for; mode "default" for none. Ids of `nodes` ascending. */
export interface PolicyRequest {
  readonly mode: PolicyMode | "default";
  readonly nodes: readonly number[];
  readonly kind?: PolicyNodes;
}

/** The policy, or null for the default. `allowed`: nodes of the cpuset that have memory. */
export function newMempolicy(
  request: PolicyRequest,
  allowed: readonly number[],
): Mempolicy | null | Errno {
  const { mode, nodes, kind = "remapped" } = request;
  if (mode === "default") return nodes.length === 0 ? null : "EINVAL";
  const isLocal = mode === "local" || (mode === "preferred" && nodes.length === 0);
  if (isLocal) {
    if (nodes.length > 0 || kind !== "remapped") return "EINVAL";
    return { mode: "local", kind, nodes, userNodes: nodes, allowed };
  }
  const inForce = kind === "relative" ? relativeNodes(nodes, allowed) : common(nodes, allowed);
  if (inForce.length === 0) return "EINVAL";
  const kept = mode === "preferred" ? inForce.slice(0, 1) : inForce;
  return { mode, kind, nodes: kept, userNodes: nodes, allowed };
}

/** The policy after the allowed nodes have changed. Linux: `mpol_rebind_policy()`. */
export function rebindMempolicy(policy: Mempolicy, allowed: readonly number[]): Mempolicy {
  const { mode, kind, nodes, userNodes } = policy;
  if (mode === "local") return policy;
  if (kind === "remapped" && isEqual(policy.allowed, allowed)) return policy;
  // What is only preferred may lie outside what is allowed: the allocator sees to that.
  if (mode === "preferred" || mode === "preferred-many") return { ...policy, allowed };
  const now =
    kind === "static"
      ? common(userNodes, allowed)
      : kind === "relative"
        ? relativeNodes(userNodes, allowed)
        : remapNodes(nodes, policy.allowed, allowed);
  return { ...policy, allowed, nodes: now.length === 0 ? allowed : now };
}

/** The places that `nodes` names among `allowed`, from the first again past the last. */
export function relativeNodes(nodes: readonly number[], allowed: readonly number[]): number[] {
  const places = new Set(nodes.map((node) => node % allowed.length));
  return allowed.filter((_, place) => places.has(place));
}

/** Each node of `from` becomes the one in its place of `to`. Linux: `nodes_remap()`. */
export function remapNodes(
  nodes: readonly number[],
  from: readonly number[],
  to: readonly number[],
): number[] {
  const mapped = nodes.map((node) => {
    const place = from.indexOf(node);
    return place === -1 || to.length === 0 ? node : to[place % to.length];
  });
  return [...new Set(mapped)].sort((one, other) => one - other);
}

function common(one: readonly number[], other: readonly number[]): number[] {
  return one.filter((node) => other.includes(node));
}

function isEqual(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((node, at) => node === other[at]);
}
