/**
 * One whole machine: its memory, its processes and files, its settings.
 *
 * `holds` are references from outside the model: a device that pins, a kernel that uses pages in
 * its own ways. They are kept apart so that every reference has a name, and teardown can prove
 * that none was lost.
 */
import { assert } from "../base/assert.ts";
import { ALL_FEATURES, checkFeatures, type Features } from "../base/features.ts";
import { supplyAllocSlowPath } from "../callers/alloc-slow-path.ts";
import { COMPACT_SYSCTL_DEFAULTS, type CompactSysctl } from "../callers/compaction/control.ts";
import { Kcompactd } from "../callers/compaction/kcompactd.ts";
import {
  RECLAIM_SYSCTL_DEFAULTS,
  Reclaimer,
  type ReclaimSysctl,
} from "../callers/reclaim/reclaimer.ts";
import { supplyReclaim } from "../callers/reclaim/supply.ts";
import { Shmem } from "../fs/shmem/shmem.ts";
import { ZONE_TYPES } from "../memory/constants.ts";
import { folioNrPages } from "../memory/folio.ts";
import { folioPutRefs, folioUnpin } from "../memory/folio-ref.ts";
import type { Frames } from "../memory/frames.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { Memory, type MemoryShape } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { migrateFolio } from "../migrate/callbacks.ts";
import { Clock } from "../sched/clock.ts";
import { ProcessTable } from "../vm/process.ts";
import { Swap } from "../vm/swap/swap.ts";
import type { SwapArea, SwapAreaOptions } from "../vm/swap/swap-area.ts";
import { Vm } from "../vm/vm.ts";

/** What marks a page as the kernel's, and says nothing to the allocator. */
const KERNEL_MARKS = PG.slab | PG.table | PG.offline | PG.hugetlb | PG.kernel;

export class Machine {
  readonly mem: Memory;
  readonly vm: Vm;
  /** Those that calls name; a snapshot's are not told apart. */
  readonly processes: ProcessTable = new ProcessTable();
  readonly clock: Clock;
  sysctl: CompactSysctl & ReclaimSysctl = {
    ...COMPACT_SYSCTL_DEFAULTS,
    ...RECLAIM_SYSCTL_DEFAULTS,
  };
  /** By node; each works while somebody runs its task. Undefined without compaction. */
  readonly kcompactds: readonly Kcompactd[] | undefined;
  /** References held from outside, by folio. */
  readonly holds: Map<Pfn, number> = new Map();
  /** Folios that were in a batch or isolated when a snapshot was taken: it does not say which. */
  readonly offLru: Set<Folio> = new Set();
  /** Devices' pins, by folio. */
  readonly pins: Map<Pfn, number> = new Map();
  /** Page lists that the memory itself has; those of passing use come and go. */
  readonly listsAtRest: number;
  private reclaimer: Reclaimer | null = null;

  /** Throws an `InputError` for features that do not go together. */
  constructor(
    shape: MemoryShape,
    frames: Frames,
    features: Features = ALL_FEATURES,
    clock: Clock = new Clock(),
  ) {
    checkFeatures(features);
    this.clock = clock;
    this.mem = new Memory(shape, frames);
    this.mem.features = features;
    this.vm = new Vm(this.mem);
    this.vm.shmem = new Shmem(this.vm);
    const sysctl = (): CompactSysctl => this.sysctl;
    supplyAllocSlowPath(this.vm, sysctl);
    this.kcompactds = features.compaction
      ? this.mem.nodes.map((node) => new Kcompactd(this.vm, node, sysctl))
      : undefined;
    this.listsAtRest = this.mem.listsInUse;
  }

  /** Gives the machine one more swap area, and reclaim, which fills it. Linux: `swapon(2)`. */
  swapOn(options: SwapAreaOptions): SwapArea {
    const { vm } = this.reclaim;
    vm.swap ??= new Swap(vm.cache, migrateFolio);
    return vm.swap.swapOn(options);
  }

  /** The state of reclaim, which begins to serve allocations when it is first asked for. */
  get reclaim(): Reclaimer {
    if (this.reclaimer === null) {
      this.reclaimer = new Reclaimer(this.vm, this.clock, this);
      supplyReclaim(this.reclaimer);
      const { kcompactds } = this;
      if (kcompactds !== undefined) {
        this.reclaimer.wakeKcompactd = ({ id }, order, highest) =>
          kcompactds[id].wake(order, ZONE_TYPES[highest]);
      }
    }
    return this.reclaimer;
  }

  /** Records `count` references of the folio as held from outside; it counts them already. */
  recordHold(folio: Folio, count: number): void {
    assert(count > 0, "a hold of no references on", folio);
    this.holds.set(folio, (this.holds.get(folio) ?? 0) + count);
  }

  /** Records one pin of the folio as a device's; it counts it already. */
  recordPin(folio: Folio): void {
    this.pins.set(folio, (this.pins.get(folio) ?? 0) + 1);
  }

  /** Gives `count` references of the folio back, which were held from outside. */
  releaseHold(folio: Folio, count: number): void {
    const held = this.holds.get(folio) ?? 0;
    assert(count > 0 && count <= held, "more references released than held:", folio, count, held);
    if (count === held) this.holds.delete(folio);
    else this.holds.set(folio, held - count);
    folioPutRefs(this.mem, folio, count);
  }

  /** Devices let go of all that they have pinned. */
  dropPins(): void {
    for (const [folio, count] of this.pins) {
      for (let pin = 0; pin < count; pin++) folioUnpin(this.mem, folio as Folio);
    }
    this.pins.clear();
  }

  /** Gives every reference held from outside back; the kernel's own pages lose their marks. */
  dropHolds(): void {
    const { mem, vm } = this;
    this.dropPins();
    // With a pool of huge pages the mark is the pool's.
    const marks = vm.hstate === null ? KERNEL_MARKS : KERNEL_MARKS & ~PG.hugetlb;
    for (const [page, count] of this.holds) {
      const folio = page as Folio;
      const end = folio + folioNrPages(mem, folio);
      for (let at = folio as Pfn; at < end; at = (at + 1) as Pfn) mem.flags[at] &= ~marks;
      folioPutRefs(mem, folio, count);
    }
    this.holds.clear();
  }
}
