/**
 * One call of `migratePages`: who asked, where new folios come from, and what has been counted.
 *
 * Shared by the steps of the call so that a step passes one value, not eight, and allocates none.
 */
import type { Folio, PageList } from "../memory/memmap.ts";
import type { MigrateMode } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { Vm } from "../vm/vm.ts";
import type { MigrateReason } from "./reason.ts";

/** Attempts on a folio that is busy for a moment. Linux: `NR_MAX_MIGRATE_PAGES_RETRY`. */
export const NR_MAX_MIGRATE_PAGES_RETRY = 10;

/** Where the folios go. Linux: `new_folio_t`, `free_folio_t`. */
export interface MigrationTarget {
  /** A new folio of the order of `src`, with one reference, unlocked; null when there is none. */
  getNew(src: Folio): Blocking<Folio | null>;
  /** Takes back a folio that was not used. Without it the folio is put. */
  putNew?(dst: Folio): void;
}

export class MigrateRun {
  readonly vm: Vm;
  readonly target: MigrationTarget;
  readonly mode: MigrateMode;
  readonly reason: MigrateReason;
  /** Folios given up for good, in order; the caller gets them back. */
  readonly refused: PageList;
  /** The new folio of the attempt at hand; set by the unmapping step, or before the moving one. */
  dst: Folio = -1 as Folio;

  /** Base pages. */
  succeededPages = 0;
  failedPages = 0;
  /** Folios. */
  failedFolios = 0;
  thpSucceeded = 0;
  thpFailed = 0;
  thpSplit = 0;
  /** Large folios of any order that were split. */
  splitFolios = 0;

  constructor(vm: Vm, target: MigrationTarget, mode: MigrateMode, reason: MigrateReason) {
    this.vm = vm;
    this.target = target;
    this.mode = mode;
    this.reason = reason;
    this.refused = vm.mem.takeList();
  }

  /** The attempt on a folio is over and has moved it. */
  succeed(pages: number, thps: number): void {
    this.succeededPages += pages;
    this.thpSucceeded += thps;
  }

  /** The folio is given up. */
  fail(pages: number, thps: number): void {
    this.failedFolios++;
    this.failedPages += pages;
    this.thpFailed += thps;
  }

  /** Takes over what another run of the same call moved. */
  addSuccesses(other: MigrateRun): void {
    this.succeed(other.succeededPages, other.thpSucceeded);
    this.thpSplit += other.thpSplit;
    this.splitFolios += other.splitFolios;
  }
}
