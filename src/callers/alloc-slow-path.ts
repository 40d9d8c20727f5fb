/**
 * The slow path of allocation: the free lists had nothing above the low watermark.
 *
 * Order of steps: wake kswapd; the lists again, down to the minimum; for large blocks compact at
 * once, as free memory is rarely what is short; then round by round: the lists, direct reclaim,
 * direct compaction, and the question whether another round can help. Reclaim and kswapd are other
 * callers, asked through `AllocHooks`; without them there is no progress but compaction's.
 *
 * | asked with     | first compaction | then                                                     |
 * |----------------|------------------|----------------------------------------------------------|
 * | NORETRY, costly| async            | gives up if it was put off, else one more round, async   |
 * | RETRY_MAYFAIL  | async            | rounds as long as there is progress, never the OOM hook  |
 * | neither, costly| async            | one round                                                |
 * | neither        | -                | rounds, then the OOM hook                                |
 *
 * Linux: `__alloc_pages_slowpath()`, mm/page_alloc.c, 6.1. Not here: cpusets, memory cgroups, and
 * the reserves of urgent requests beyond what `watermark.ts` knows.
 */
import { assert } from "../base/assert.ts";
import type { AllocRefusalName } from "../events/alloc-refusals.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import { MIGRATE } from "../memory/constants.ts";
import { GFP, type GfpRequest } from "../memory/gfp.ts";
import type { Pfn } from "../memory/memmap.ts";
import { allocFlags, getPageFromFreelist, prepNewPage, zonesFor } from "../memory/page-alloc.ts";
import { drainAllPages } from "../memory/pcp.ts";
import { ALLOC } from "../memory/watermark.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { Vm } from "../vm/vm.ts";
import { AllocAttempt, shouldCompactRetry, shouldReclaimRetry } from "./alloc-retry.ts";
import type { CompactSysctl } from "./compaction/control.ts";
import { compactionDeferReset } from "./compaction/defer.ts";
import { type CompactPriority, tryToCompactPages } from "./compaction/direct.ts";
import { compactionReady } from "./compaction/suitable.ts";

const NO_PAGE = -1 as Pfn;

/** Makes this the slow path of the machine's allocations. `sysctl` gives the settings of now. */
export function supplyAllocSlowPath(vm: Vm, sysctl: () => CompactSysctl): void {
  vm.mem.allocHooks.slowPath = (request) => allocSlowPath(vm, request, sysctl());
}

function* allocSlowPath(vm: Vm, request: GfpRequest, sysctl: CompactSysctl): Blocking<Pfn> {
  const attempt = new AllocAttempt(vm, request, flagsOf(request), sysctl);
  const { mem } = vm;
  wakeKswapds(attempt);
  let pfn = fromLists(attempt);
  if (pfn !== NO_PAGE) return pfn;
  if (compactsFirst(attempt)) {
    pfn = yield* directCompact(attempt, "async");
    if (pfn !== NO_PAGE) return pfn;
    if (attempt.isCostly && attempt.has(GFP.noRetry)) {
      const isPutOff = attempt.result === "skipped" || attempt.result === "deferred";
      if (isPutOff) return refuse(attempt, "put_off");
      attempt.priority = "async";
    }
  }
  for (;;) {
    yield "alloc-slow-path-round";
    wakeKswapds(attempt);
    pfn = fromLists(attempt);
    if (pfn !== NO_PAGE) return pfn;
    if (!attempt.has(GFP.directReclaim)) return refuse(attempt, "may_not_wait");
    if (mem.memalloc) return refuse(attempt, "makes_room");
    pfn = yield* directReclaim(attempt);
    if (pfn === NO_PAGE) pfn = yield* directCompact(attempt, attempt.priority);
    if (pfn !== NO_PAGE) return pfn;
    if (attempt.has(GFP.noRetry)) return refuse(attempt, "no_retry");
    if (attempt.isCostly && !attempt.has(GFP.retryMayfail)) return refuse(attempt, "costly");
    if (shouldReclaimRetry(attempt)) continue;
    // Compaction works with what is free: without reclaim's progress it has nothing new.
    if (attempt.reclaimed > 0 && shouldCompactRetry(attempt)) continue;
    if (!mayKill(attempt)) return refuse(attempt, "no_progress");
    // Others may have given memory back while it was looked for: well above the watermarks then.
    pfn = getPageFromFreelist(mem, request, "watermarkHigh", attempt.flags);
    if (pfn !== NO_PAGE) return pfn;
    if (mem.allocHooks.outOfMemory?.(request) !== true) return refuse(attempt, "out_of_memory");
    attempt.noProgressLoops = 0;
  }
}

/** Linux: `gfp_to_alloc_flags()`. */
function flagsOf(request: GfpRequest): number {
  const mayWait = (request.gfp & GFP.directReclaim) !== 0;
  const isUrgent = !mayWait && (request.gfp & (GFP.high | GFP.noMemalloc)) === GFP.high;
  return allocFlags(request) | (isUrgent ? ALLOC.highatomic : 0);
}

/** What must lie together is rarely short of free pages, but of free pages that do. */
function compactsFirst(attempt: AllocAttempt): boolean {
  const { request, isCostly, vm } = attempt;
  if (!attempt.has(GFP.directReclaim) || vm.mem.memalloc) return false;
  return isCostly || (request.order > 0 && request.migratetype !== MIGRATE.movable);
}

function fromLists({ vm, request, flags }: AllocAttempt): Pfn {
  return getPageFromFreelist(vm.mem, request, "watermarkMin", flags);
}

/** Linux: `wake_all_kswapds()`. */
function wakeKswapds({ vm, request }: AllocAttempt): void {
  const { wakeKswapd } = vm.mem.allocHooks;
  if (wakeKswapd === null || (request.gfp & GFP.kswapdReclaim) === 0) return;
  let last = -1;
  for (const zone of zonesFor(vm.mem, request)) {
    if (zone.node !== last) wakeKswapd(zone, request.order, request.highestZone, request.gfp);
    last = zone.node;
  }
}

/** Linux: `__alloc_pages_direct_reclaim()`. */
function* directReclaim(attempt: AllocAttempt): Blocking<Pfn> {
  const { vm, request } = attempt;
  const { mem } = vm;
  const { directReclaim: reclaim } = mem.allocHooks;
  attempt.reclaimed = reclaim === null ? leftToCompaction(attempt) : yield* reclaim(request);
  if (attempt.reclaimed === 0) return NO_PAGE;
  const pfn = fromLists(attempt);
  if (pfn !== NO_PAGE) return pfn;
  // What was freed may lie on other processors' lists.
  drainAllPages(mem);
  return fromLists(attempt);
}

/**
 * What reclaim would say without freeing a page: 1 where it would leave the rest to compaction.
 *
 * Linux: `shrink_zones()`, `do_try_to_free_pages()`.
 */
function leftToCompaction({ vm, request, isCostly, sysctl }: AllocAttempt): number {
  if (!isCostly) return 0;
  const wanted = { order: request.order, highestZone: request.highestZone, allocFlags: 0 };
  const ready = zonesFor(vm.mem, request).filter((zone) =>
    compactionReady(vm.mem, zone, wanted, sysctl),
  );
  return ready.length > 0 ? 1 : 0;
}

/** Linux: `__alloc_pages_direct_compact()`. */
function* directCompact(attempt: AllocAttempt, priority: CompactPriority): Blocking<Pfn> {
  const { vm, request, flags, sysctl } = attempt;
  const { mem } = vm;
  if (request.order === 0) return NO_PAGE;
  const done = yield* tryToCompactPages(vm, request, flags, priority, sysctl);
  attempt.result = done.result;
  if (done.result === "skipped") return NO_PAGE;
  mem.events.count(VM_EVENT.compact_stall, 1);
  let pfn = done.captured;
  if (pfn === NO_PAGE) {
    pfn = fromLists(attempt);
  } else {
    prepNewPage(mem, pfn);
    mem.events.count(VM_EVENT.pgalloc, 1 << request.order);
  }
  if (pfn === NO_PAGE) {
    mem.events.count(VM_EVENT.compact_fail, 1);
    return NO_PAGE;
  }
  const zone = mem.zoneOf(pfn);
  zone.compactBlockskipFlush = false;
  compactionDeferReset(mem, zone, request.order, "allocated");
  mem.events.count(VM_EVENT.compact_success, 1);
  return pfn;
}

/** Killing helps nobody who wants a large block, one node, or a low zone. */
function mayKill(attempt: AllocAttempt): boolean {
  const { request, isCostly } = attempt;
  if (isCostly || attempt.has(GFP.retryMayfail) || attempt.has(GFP.thisNode)) return false;
  return request.highestZone !== "DMA" && request.highestZone !== "DMA32";
}

function refuse(attempt: AllocAttempt, name: AllocRefusalName): Pfn {
  assert(!attempt.has(GFP.nofail), "nothing is left to try for an allocation that must not fail");
  attempt.vm.mem.events.allocRefusals[name]++;
  return NO_PAGE;
}
