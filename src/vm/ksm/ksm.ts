/**
 * KSM: pages with the same contents become one page, until somebody writes.
 *
 * A merged folio names a stable node; the node's rmap items say of which process and address its
 * mappings are, since merged pages come from anywhere and no offset leads to them. The node's frame
 * stands in `Memory.ksmFolios`, where a migration redirects it.
 *
 * What Linux keeps in red-black trees ordered by contents are tables by checksum here: whether
 * pages are equal is decided by comparing them, all the same. Changes of items and tables are
 * atomic. Linux: mm/ksm.c, 6.1.
 */
import type { AnonVma, Mm } from "../mm.ts";

/** One virtual page that KSM looks after. Linux: `struct ksm_rmap_item`. */
export class RmapItem {
  readonly mm: Mm;
  readonly vpn: number;
  /** Of the contents at the last look: a page that changes is left alone. */
  checksum: number | null = null;
  /** Held while the page is merged, for the walk of the reverse map. */
  anonVma: AnonVma | null = null;
  node: StableNode | null = null;

  constructor(mm: Mm, vpn: number) {
    this.mm = mm;
    this.vpn = vpn;
  }
}

/** A merged page. Linux: `struct ksm_stable_node`. */
export class StableNode {
  /** Index in `Vm.ksm.nodes` and `Memory.ksmFolios`; what the mapping word carries. */
  readonly id: number;
  readonly checksum: number;
  /** Newest first. Replaced, not changed: a walk may be under way. */
  items: readonly RmapItem[] = [];

  constructor(id: number, checksum: number) {
    this.id = id;
    this.checksum = checksum;
  }
}

export class Ksm {
  /** Mappings that one merged page may have. Linux: `ksm_max_page_sharing`. */
  maxPageSharing = 256;
  /** By id; undefined once the page is gone. */
  readonly nodes: (StableNode | undefined)[] = [];
  /** The stable tree. */
  readonly stable: Map<number, StableNode[]> = new Map();
  /** The unstable tree: pages not merged yet. Forgotten with every new pass. */
  readonly unstable: Map<number, RmapItem> = new Map();
  /** Of processes that ended while their merged pages were locked: a walk may rely on them. */
  leaving: RmapItem[] = [];
  /** By process, then by virtual page. Linux: `struct ksm_mm_slot`. */
  readonly items: Map<Mm, Map<number, RmapItem>> = new Map();
  /** Where the scan goes on: an index in `Vm.mms`, and a virtual page. */
  scanMm = 0;
  scanVpn = 0;

  /** Merged pages. Linux: /sys/kernel/mm/ksm/pages_shared. */
  get pagesShared(): number {
    return this.nodes.filter((node) => node !== undefined && node.items.length > 0).length;
  }

  /** How many pages more there would be without. Linux: pages_sharing. */
  get pagesSharing(): number {
    let items = 0;
    for (const node of this.nodes) items += node?.items.length ?? 0;
    return items - this.pagesShared;
  }
}
