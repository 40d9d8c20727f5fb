/**
 * A file of one page that reserves space on its flash before it is written to, and gives the
 * reservation back when the page is on the flash. The page's private mark says that it has one.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { type Folio, testFlag } from "../../src/memory/memmap.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { copyUnlessDone, movePrivate } from "../../src/migrate/callbacks.ts";
import { folioMigrateMapping } from "../../src/migrate/folio-mapping.ts";
import type {
  AddressSpace,
  MigrateMode,
  MigrateOutcome,
} from "../../src/pagecache/address-space.ts";
import {
  folioAttachPrivate,
  folioDetachPrivate,
} from "../../src/pagecache/buffers/folio-buffers.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { withLockedPage } from "./locked-page.ts";

/** What the private word of a page says that has a reservation. */
const RESERVED = 1;

export class BudgetedFile {
  readonly file: AddressSpace;
  reservedPages = 0;
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    this.file = machine.vm.cache.createMapping("a file on flash", { migrateFolio });
  }

  *writeAndSync(value: number): Blocking<void> {
    const { machine, file } = this;
    const { mem } = machine;
    yield* withLockedPage(machine, file, (page) => {
      mem.frames.writeWord(page, 0, value);
      if (testFlag(mem, page, PG.private)) return;
      folioAttachPrivate(mem, page, RESERVED);
      this.reservedPages++;
    });
    yield "written-not-synced";
    yield* withLockedPage(machine, file, (page) => {
      if (!testFlag(mem, page, PG.private)) return;
      folioDetachPrivate(mem, page);
      this.reservedPages--;
    });
  }
}

/** Linux: `ubifs_migrate_folio()`, now `filemap_migrate_folio()`. */
function* migrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  assert(mapping !== null, "a page of no file:", src);
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
  if (outcome !== "moved") return outcome;
  if (testFlag(mem, src, PG.private)) movePrivate(mem, dst, src);
  copyUnlessDone(mem, dst, src, mode);
  return outcome;
}
