/**
 * Reclaim's own state on one machine: what each node's lists have cost so far, who waits there, and
 * what became of the folios that were looked at.
 *
 * Rates are virtual time: a machine without other tasks sleeps through them at once.
 * Linux: the fields of `pg_data_t` and `struct lruvec` that mm/vmscan.c keeps, 6.1.
 */

import { ZONE_TYPES } from "../../memory/constants.ts";
import type { Node } from "../../memory/node.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Clock } from "../../sched/clock.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";
import type { Vm } from "../../vm/vm.ts";
import type { CompactSysctl } from "../compaction/control.ts";
import { type FolioOutcome, newOutcomeCounts } from "./outcomes.ts";

/** What the administrator has set, by the sysctl's own name. */
export interface ReclaimSysctl {
  /** How dear a swap-in is against a read: 0 to 200, 100 for the same. */
  readonly "vm.swappiness": number;
}

export const RECLAIM_SYSCTL_DEFAULTS: ReclaimSysctl = { "vm.swappiness": 60 };

/** Where a reclaimer waits for others. Linux: `enum vmscan_throttle_state`. */
export type ThrottleReason = "writeback" | "isolated" | "noprogress" | "congested";

/** No request for kswapd. Linux: MAX_NR_ZONES in `kswapd_highest_zoneidx`. */
export const NO_ZONE = -1;

/** Rounds without progress after which a node is given up. Linux: MAX_RECLAIM_RETRIES. */
const MAX_RECLAIM_RETRIES = 16;

export class NodeReclaim {
  readonly node: Node;
  /** What bringing pages back has cost of late, by kind. Linux: `anon_cost`, `file_cost`. */
  anonCost = 0;
  fileCost = 0;
  /** Pages activated at their return, [0] anonymous, [1] file. Linux: WORKINGSET_ACTIVATE_*. */
  readonly activations: [anon: number, file: number] = [0, 0];
  /** `activations` when the last reclaim ended. Linux: `refaults`. */
  readonly refaults: [anon: number, file: number] = [0, 0];
  /** kswapd meets dirty pages alone, and may write them. Linux: PGDAT_DIRTY. */
  meetsDirty = false;
  /** kswapd meets pages under writeback alone. Linux: PGDAT_WRITEBACK. */
  meetsWriteback = false;
  /** All that is dirty comes round again before it is written. Linux: LRUVEC_CONGESTED. */
  isCongested = false;

  readonly throttled: Readonly<Record<ThrottleReason, WaitQueue>>;
  /** Direct reclaimers that leave what is free to kswapd. Linux: `pfmemalloc_wait`. */
  readonly pfmemallocWait: WaitQueue = new WaitQueue("memory kept for kswapd");

  readonly kswapdWait: WaitQueue = new WaitQueue("work for kswapd");
  kswapdOrder = 0;
  /** Index in ZONE_TYPES, or NO_ZONE. */
  kswapdHighestZone: number = NO_ZONE;
  /** Rounds of kswapd without progress, one after another. */
  kswapdFailures = 0;
  /** A task runs the node's kswapd. */
  hasKswapd = false;
  /** Linux: `kthread_should_stop()`. */
  kswapdShouldStop = false;

  constructor(node: Node) {
    this.node = node;
    this.throttled = {
      writeback: node.writebackThrottle.queue,
      isolated: node.throttled,
      noprogress: new WaitQueue("the progress of others"),
      congested: new WaitQueue("storage that is congested"),
    };
  }

  /** Nothing can be reclaimed here; kswapd sleeps until somebody else succeeds. */
  get isHopeless(): boolean {
    return this.kswapdFailures >= MAX_RECLAIM_RETRIES;
  }

  /** More was spent on one kind of page, as storage was asked. Linux: `lru_note_cost()`. */
  noteCost(kind: 0 | 1, pages: number): void {
    if (kind === 1) this.fileCost += pages;
    else this.anonCost += pages;
    const { lruPages } = this.node;
    const listed = lruPages[0] + lruPages[1] + lruPages[2] + lruPages[3];
    // What is long past counts less and less.
    if (this.anonCost + this.fileCost <= Math.floor(listed / 4)) return;
    this.anonCost = Math.floor(this.anonCost / 2);
    this.fileCost = Math.floor(this.fileCost / 2);
  }

  /** Its zones up to one by index in ZONE_TYPES, from low to high. */
  zonesUpTo(highest: number): Zone[] {
    return this.node.zones.filter(
      ({ type, managed }) => managed > 0 && ZONE_TYPES.indexOf(type) <= highest,
    );
  }
}

export class Reclaimer {
  readonly vm: Vm;
  readonly clock: Clock;
  /** By node. */
  readonly nodes: readonly NodeReclaim[];
  /** Has the node's kcompactd run; null without one. Linux: `wakeup_kcompactd()`. */
  wakeKcompactd: ((node: Node, order: number, highestZone: number) => void) | null = null;
  /** Folios looked at, by what became of them. */
  readonly outcomes: Record<FolioOutcome, number> = newOutcomeCounts();
  private readonly settings: { readonly sysctl: ReclaimSysctl & CompactSysctl };

  /** `settings` are looked at whenever they matter: the machine's, which may change. */
  constructor(vm: Vm, clock: Clock, settings: { readonly sysctl: ReclaimSysctl & CompactSysctl }) {
    this.vm = vm;
    this.clock = clock;
    this.settings = settings;
    this.nodes = vm.mem.nodes.map((node) => new NodeReclaim(node));
  }

  get sysctl(): ReclaimSysctl & CompactSysctl {
    return this.settings.sysctl;
  }

  /** Whether anonymous pages could ever go anywhere. Linux: `can_age_anon_pages()`. */
  get canAgeAnon(): boolean {
    return (this.vm.swap?.areas.length ?? 0) > 0;
  }

  /** Whether anonymous pages can go anywhere now. Linux: `can_reclaim_anon_pages()`. */
  get canReclaimAnon(): boolean {
    return (this.vm.swap?.freeSlots ?? 0) > 0;
  }
}
