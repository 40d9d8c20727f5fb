/**
 * The reverse map of merged pages.
 *
 * Every item names a process and an address. First the processes that the items name; then, at the
 * same addresses, those that have forked from them since. A walk that is under way misses nobody
 * who forks meanwhile. Callers hold the lock of the folio, which keeps new items out.
 * Linux: `rmap_walk_ksm()`.
 */
import type { Folio } from "../../memory/memmap.ts";
import type { Vma } from "../mm.ts";
import type { Vm } from "../vm.ts";
import { folioStableNode } from "./stable-tree.ts";

/** Where a merged page may be mapped. */
export interface KsmMapping {
  readonly vma: Vma;
  readonly vpn: number;
}

/** The places in order, each found when it is asked for. */
export function* ksmMappings(vm: Vm, folio: Folio): Generator<KsmMapping> {
  const node = folioStableNode(vm, folio);
  if (node === null) return;
  for (const whose of ["the item's process", "those forked from it"]) {
    for (const { anonVma, mm, vpn } of node.items) {
      for (const vma of anonVma?.vmas ?? []) {
        if ((vma.mm === mm) !== (whose === "the item's process")) continue;
        if (vma.startVpn <= vpn && vpn < vma.endVpn) yield { vma, vpn };
      }
    }
  }
}
