/**
 * kcompactd: a node's own compaction, in the background.
 *
 * It sleeps until kswapd asks for blocks of an order, and looks every half second whether the node
 * is so fragmented that it should be compacted unasked. Asked, it compacts each zone once, heeds
 * and makes deferrals, and forgets the order. Unasked, it compacts every zone down to the low mark
 * (`score.ts`); where that changed nothing it looks again 32 seconds later only.
 *
 * `run` is the body of its task and ends after `stop`; `work` and `compactProactively` are one
 * round each, for whoever has no tasks. Linux: `kcompactd()`, `kcompactd_do_work()`,
 * `wakeup_kcompactd()`, `proactive_compact_node()`, mm/compaction.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { MIGRATE, ZONE_TYPES, type ZoneType } from "../../memory/constants.ts";
import type { Node } from "../../memory/node.ts";
import { drainPcp } from "../../memory/pcp.ts";
import type { Zone } from "../../memory/zone.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Clock } from "../../sched/clock.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";
import type { Vm } from "../../vm/vm.ts";
import { compactZone, type ZoneCompaction } from "./compact-zone.ts";
import { COMPACT_MEMORY, type CompactRequest, type CompactSysctl } from "./control.ts";
import { compactionDeferReset, compactionDeferred, deferCompaction } from "./defer.ts";
import { fragmentationMarks, fragmentationScoreNode } from "./score.ts";
import { compactionSuitable } from "./suitable.ts";
import { traceKcompactd } from "./trace.ts";

/** Nanoseconds between two looks at the score. Linux: `HPAGE_FRAG_CHECK_INTERVAL_MSEC`. */
const CHECK_INTERVAL = 500_000_000;
/** Doublings of it after a look that led to nothing. Linux: `COMPACT_MAX_DEFER_SHIFT`. */
const NO_PROGRESS_SHIFT = 6;

/** Unasked: every zone whole, until its score is low. */
const PROACTIVE: CompactRequest = { ...COMPACT_MEMORY, mode: "sync-light", proactive: true };

export class Kcompactd {
  readonly node: Node;
  /** Where its task sleeps. Linux: `pgdat->kcompactd_wait`. */
  readonly wait: WaitQueue;
  private readonly vm: Vm;
  private readonly sysctl: () => CompactSysctl;
  /** The largest order asked for since the last round; 0: none. */
  private maxOrder = 0;
  /** The lowest of the highest zones asked for. */
  private highestZone: ZoneType;
  private isTriggered = false;
  private isStopped = false;

  constructor(vm: Vm, node: Node, sysctl: () => CompactSysctl) {
    this.vm = vm;
    this.node = node;
    this.sysctl = sysctl;
    this.wait = new WaitQueue(`work for kcompactd${node.id}`);
    this.highestZone = topZone(node);
  }

  /** Asks for blocks of `order` in zones up to `highestZone`. Linux: `wakeup_kcompactd()`. */
  wake(order: number, highestZone: ZoneType): void {
    if (order === 0) return;
    this.maxOrder = Math.max(this.maxOrder, order);
    this.highestZone = lower(this.highestZone, highestZone);
    if (this.wait.empty || !this.isNodeSuitable()) return;
    this.trace("mm_compaction_wakeup_kcompactd", order, highestZone);
    this.wait.wakeAll();
  }

  /** `vm.compaction_proactiveness` was written: the node is looked at now. */
  triggerProactive(): void {
    this.isTriggered = true;
    this.wait.wakeAll();
  }

  stop(): void {
    this.isStopped = true;
    this.wait.wakeAll();
  }

  *run(clock: Clock): Blocking<void> {
    let timeout = CHECK_INTERVAL;
    while (!this.isStopped) {
      this.vm.mem.events.trace?.event("mm_compaction_kcompactd_sleep", `nid=${this.node.id}`);
      const wasAsked = yield* this.sleep(clock, timeout);
      if (this.isStopped) return;
      timeout = CHECK_INTERVAL;
      if (wasAsked && !this.isTriggered) {
        yield* this.work();
        continue;
      }
      const outcome = yield* this.compactProactively();
      if (outcome === "no progress") timeout = CHECK_INTERVAL * (1 << NO_PROGRESS_SHIFT);
      this.isTriggered = false;
    }
  }

  /** One round for what was asked. Linux: `kcompactd_do_work()`. */
  *work(): Blocking<void> {
    const { node, vm } = this;
    const { mem } = vm;
    const order = this.maxOrder;
    const { highestZone } = this;
    this.trace("mm_compaction_kcompactd_wake", order, highestZone);
    mem.events.count(VM_EVENT.compact_daemon_wake, 1);
    for (const zone of node.zones) {
      if (indexOf(zone.type) > indexOf(highestZone)) break;
      if (compactionDeferred(mem, zone, order)) continue;
      const wanted = { order, highestZone: zone.type, allocFlags: 0 };
      if (compactionSuitable(mem, zone, wanted, this.sysctl()) !== "continue") continue;
      const done = yield* compactZone(vm, zone, requestFor(order, highestZone), this.sysctl());
      this.count(done);
      if (done.result === "success") compactionDeferReset(mem, zone, order, "free");
      else if (done.result === "partial_skipped" || done.result === "complete") {
        // Buddies may lie apart on the processors' lists; the deferral keeps this rare.
        for (let cpu = 0; cpu < mem.cpuCount; cpu++) drainPcp(mem, zone, cpu);
        deferCompaction(mem, zone, order);
      }
    }
    // A larger request may have come meanwhile: it is for the next round.
    if (this.maxOrder <= order) this.maxOrder = 0;
    if (indexOf(this.highestZone) >= indexOf(highestZone)) this.highestZone = topZone(node);
  }

  /** One look, and a compaction of every zone if the score is above the high mark. */
  *compactProactively(): Blocking<"not due" | "no progress" | "done"> {
    const { vm, node } = this;
    const sysctl = this.sysctl();
    const isBusy = vm.mem.allocHooks.kswapdIsRunning?.(node) ?? false;
    if (sysctl["vm.compaction_proactiveness"] === 0 || isBusy) return "not due";
    const score = fragmentationScoreNode(node);
    if (score <= fragmentationMarks(sysctl).high) return "not due";
    for (const zone of node.zones) this.count(yield* compactZone(vm, zone, PROACTIVE, sysctl));
    return fragmentationScoreNode(node) >= score ? "no progress" : "done";
  }

  /** Until work is asked for (true) or the time is over (false). */
  private *sleep(clock: Clock, timeout: number): Blocking<boolean> {
    let isOver = false;
    clock.after(timeout, () => {
      isOver = true;
      this.wait.wakeAll();
    });
    const isAsked = (): boolean => this.maxOrder > 0 || this.isTriggered || this.isStopped;
    while (!isOver && !isAsked()) yield this.wait;
    return isAsked();
  }

  /** Whether compaction could begin in any zone that was asked for. */
  private isNodeSuitable(): boolean {
    const { vm, node, maxOrder, highestZone } = this;
    const wanted = { order: maxOrder, highestZone, allocFlags: 0 };
    return node.zones.some(
      (zone) =>
        indexOf(zone.type) <= indexOf(highestZone) &&
        compactionSuitable(vm.mem, zone, wanted, this.sysctl()) === "continue",
    );
  }

  private count({ migrateScanned, freeScanned }: ZoneCompaction): void {
    const { events } = this.vm.mem;
    events.count(VM_EVENT.compact_daemon_migrate_scanned, migrateScanned);
    events.count(VM_EVENT.compact_daemon_free_scanned, freeScanned);
  }

  private trace(
    name: "mm_compaction_wakeup_kcompactd" | "mm_compaction_kcompactd_wake",
    order: number,
    highestZone: ZoneType,
  ): void {
    traceKcompactd(this.vm.mem, name, this.node.id, order, highestZone);
  }
}

/** Its allocations are the kernel's own: a free block of an unmovable kind is what it looks for. */
function requestFor(order: number, highestZone: ZoneType): CompactRequest {
  return {
    ...COMPACT_MEMORY,
    order,
    mode: "sync-light",
    migratetype: MIGRATE.unmovable,
    wholeZone: false,
    ignoreSkipHint: false,
    highestZone,
  };
}

function topZone({ zones }: Node): ZoneType {
  const top: Zone | undefined = zones.at(-1);
  return top === undefined ? "DMA" : top.type;
}

function lower(one: ZoneType, other: ZoneType): ZoneType {
  return indexOf(other) < indexOf(one) ? other : one;
}

function indexOf(type: ZoneType): number {
  return ZONE_TYPES.indexOf(type);
}
