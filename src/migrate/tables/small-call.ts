/**
 * One call of `migratePages` as the rows of a table see it, for tests.
 *
 * The call is traced from its start. What it told is compared twice over with the same five
 * numbers, which the kernel counts in /proc/vmstat and prints with the trace event at its end.
 */
import { assert } from "../../base/assert.ts";
import { PROFILES, type Release } from "../../base/profile.ts";
import { TraceLines } from "../../events/events.ts";
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioTestMovable } from "../../memory/mapping-word.ts";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { SmallMemoryShape } from "../../memory/small-memory.ts";
import type { AddressSpaceOperations, MigrateMode } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { MigrateResult } from "../migrate-pages.ts";
import type { MigrateReason } from "../reason.ts";
import { Caller } from "../small-caller.ts";

export const MODES: readonly MigrateMode[] = ["async", "sync-light", "sync", "sync-no-copy"];

/** Base pages moved and not moved; huge pages moved, not moved, and split. */
export type Numbers = readonly [number, number, number, number, number];

const COUNTERS = [
  VM_EVENT.pgmigrate_success,
  VM_EVENT.pgmigrate_fail,
  VM_EVENT.thp_migration_success,
  VM_EVENT.thp_migration_fail,
  VM_EVENT.thp_migration_split,
];

/** As include/trace/events/migrate.h spells them; the last is not in its table. */
const SPELLED: Readonly<Record<MigrateMode, string>> = {
  async: "MIGRATE_ASYNC",
  "sync-light": "MIGRATE_SYNC_LIGHT",
  sync: "MIGRATE_SYNC",
  "sync-no-copy": "0x3",
};

/** A caller on a kernel of any release, which knows for which folio a place was asked. */
export class Call extends Caller {
  readonly trace: TraceLines = new TraceLines();
  /** By call of `getNew`: the folio that is to be moved. */
  readonly asked: Folio[] = [];
  /** What a folio would be moved to; null where there is none. */
  give: (src: Folio) => Blocking<Folio | null>;

  constructor(
    shape: number | SmallMemoryShape,
    release: Release = "6.1",
    ops?: AddressSpaceOperations,
  ) {
    super(shape, ops);
    const { vm, target } = this;
    vm.mem.profile = PROFILES[release];
    vm.mem.events.trace = this.trace;
    this.give = target.getNew.bind(target);
    target.getNew = (src) => {
      this.asked.push(src);
      return this.give(src);
    };
  }

  /** How often a place was asked for `src`. */
  asks(src: Folio): number {
    return this.asked.filter((folio) => folio === src).length;
  }

  /**
   * Makes the call; counters and trace must be `numbers`, and nothing may be left behind. `splits`
   * are large folios of any order, of which only later kernels tell.
   */
  tell(mode: MigrateMode, reason: MigrateReason, numbers: Numbers, splits = 0): MigrateResult {
    const { mem } = this.vm;
    const lists = mem.listsInUse;
    const free = mem.zones[0].freePages + this.ownerless();
    const result = this.migrate(mode, reason);
    const { succeededPages } = result;
    assert(succeededPages === numbers[0], "pages that moved:", succeededPages, numbers[0]);
    const wanted = free - (reason === "memory_failure" ? succeededPages : 0);
    assert(mem.zones[0].freePages === wanted, "free pages:", mem.zones[0].freePages, wanted);
    this.assertTold(mode, reason, numbers, splits);
    assert(mem.listsInUse === lists, "lists in use:", mem.listsInUse, lists);
    this.assertStillIsolated();
    return result;
  }

  /** The only call so far has counted `numbers`, and told them in the kernel's words. */
  assertTold(mode: MigrateMode, reason: MigrateReason, numbers: Numbers, splits = 0): void {
    const { events, profile } = this.vm.mem;
    const { counts } = events.vmstat;
    const counted = COUNTERS.map((event) => counts[event]).join();
    assert(counted === numbers.join(), "counters:", counted, numbers.join());
    const [succeeded, failed, thpSucceeded, thpFailed, thpSplit] = numbers;
    const tail = `mode=${SPELLED[mode]} reason=${reason}`;
    const { lines } = this.trace;
    const told = lines.filter((line) => line.startsWith("mm_migrate_pages")).join("\n");
    const wanted =
      `mm_migrate_pages_start: ${tail}\n` +
      `mm_migrate_pages: nr_succeeded=${succeeded} nr_failed=${failed} ` +
      `nr_thp_succeeded=${thpSucceeded} nr_thp_failed=${thpFailed} ` +
      `nr_thp_split=${thpSplit}${profile.release === "6.18" ? ` nr_split=${splits}` : ""} ${tail}`;
    assert(told === wanted, "trace:", told, wanted);
    assert(wanted.startsWith(lines[0]), "the call begins with:", lines[0]);
  }

  /** Pages on the list that only the isolation holds. */
  private ownerless(): number {
    const { mem } = this.vm;
    const freed = (this.left as Folio[]).filter((folio) => mem.refcount[folio] === 1);
    return freed.reduce((sum, folio) => sum + folioNrPages(mem, folio), 0);
  }

  /** What stayed is isolated, and counted so. */
  private assertStillIsolated(): void {
    const { mem } = this.vm;
    const left = this.left as Folio[];
    const onLru = left.filter((folio) => !isOffLru(mem, folio));
    const pages = onLru.reduce((sum, folio) => sum + folioNrPages(mem, folio), 0);
    assert(this.isolated === pages, "pages counted as isolated:", this.isolated, pages);
    for (const folio of left) assert(!testFlag(mem, folio, PG.lru), "on the LRU:", folio);
  }
}

/** A driver's page, or one of a pool: never on the LRU, and never counted as isolated from it. */
function isOffLru(mem: Memory, folio: Folio): boolean {
  return folioTestMovable(mem, folio) || testFlag(mem, folio, PG.hugetlb);
}
