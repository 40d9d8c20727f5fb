/**
 * A file of one page that writes by ordered extents: how much of one is still to be written is
 * counted, and each page of it carries a mark until its bytes are.
 */
import type { Machine } from "../../src/machine/machine.ts";
import { type Folio, setFlag, testAndClearFlag } from "../../src/memory/memmap.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { filemapMigrateFolio } from "../../src/migrate/callbacks.ts";
import type {
  AddressSpace,
  MigrateMode,
  MigrateOutcome,
} from "../../src/pagecache/address-space.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { WaitQueue } from "../../src/sched/wait-queue.ts";
import { withLockedPage } from "./locked-page.ts";

const PAGE_BYTES = 4096;

export class OrderedFile {
  readonly file: AddressSpace;
  /** Of the extent under way. */
  bytesLeft = 0;
  private readonly machine: Machine;
  private readonly written: WaitQueue = new WaitQueue("an ordered extent");

  constructor(machine: Machine) {
    this.machine = machine;
    this.file = machine.vm.cache.createMapping("an ordered file", { migrateFolio });
  }

  /** Writes the page by an extent of its own, and waits for its end. */
  *writeBack(): Blocking<void> {
    const { machine, file } = this;
    const { mem } = machine;
    yield* withLockedPage(machine, file, (page) => {
      setFlag(mem, page, PG.private2);
      this.bytesLeft = PAGE_BYTES;
    });
    yield "disk-at-work";
    yield* withLockedPage(machine, file, (page) => this.endIo(page));
    while (this.bytesLeft > 0) yield this.written;
  }

  /** A page without the mark has been counted. Linux: `btrfs_mark_ordered_io_finished()`. */
  private endIo(page: Folio): void {
    if (!testAndClearFlag(this.machine.mem, page, PG.private2)) return;
    this.bytesLeft -= PAGE_BYTES;
    if (this.bytesLeft === 0) this.written.wakeAll();
  }
}

/** Linux: `btrfs_migrate_folio()`. */
function* migrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const outcome = yield* filemapMigrateFolio(mem, mapping, dst, src, mode);
  if (outcome !== "moved") return outcome;
  if (testAndClearFlag(mem, src, PG.private2)) setFlag(mem, dst, PG.private2);
  return outcome;
}
