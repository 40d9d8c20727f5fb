/**
 * The second door: pages that are a driver's and not on the LRU, and how it lets them move.
 *
 * A driver marks its single pages movable (`setPageMovable`), and from then on the VM may isolate
 * them, move them and put them back, each under the page's lock. The driver keeps one reference
 * of its own; no page table maps such a page, and none is counted as isolated.
 *
 * | state          | mapping word     | PG.isolated | references      |
 * |----------------|------------------|-------------|-----------------|
 * | at rest        | operations, 10   | no          | the driver's    |
 * | isolated       | operations, 10   | yes         | and the VM's    |
 * | let go of then | nothing but 10   | yes         | the VM's alone  |
 *
 * A driver that frees a page takes its lock, `clearPageMovable`, unlocks and puts; it takes the
 * page off its own lists under that lock too, and leaves the links of an isolated page alone: they
 * are the VM's. Linux: `struct movable_operations`, 6.1.
 */
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import type { MigrateMode, MigrateOutcome } from "./address-space.ts";

/** Why a page is isolated, as bits. Linux: `isolate_mode_t`. */
export const ISOLATE = {
  /** For a move that must not wait. */
  asyncMigrate: 0x4,
  /** Pages kept by mlock too. */
  unevictable: 0x8,
} as const;

/** What a driver does for the VM. Every page is of order 0 and locked. */
export interface MovableOperations {
  /** Whose pages these are, as refusals and broken contracts print it. */
  readonly name: string;

  /**
   * Takes the page out of the driver's structures, so that its links are free, and counts it as
   * isolated; false for "not now". Must not unlock the page. `mode` is bits of `ISOLATE`.
   */
  readonly isolatePage: (mem: Memory, page: Folio, mode: number) => Steps<boolean>;

  /**
   * Moves one isolated page. Before "moved": the contents are in `dst`, which has the driver's
   * reference and is movable; `src` is no longer movable, no longer counted as isolated, and the
   * driver's reference to it is put. "EAGAIN" gets another try, anything else has the page put
   * back. Must leave the links of `src` alone, and not sleep in mode "async".
   */
  readonly migratePage: (
    mem: Memory,
    dst: Folio,
    src: Folio,
    mode: MigrateMode,
  ) => Blocking<MigrateOutcome>;

  /** Undoes `isolatePage`. */
  readonly putbackPage: (mem: Memory, page: Folio) => Steps<void>;
}
