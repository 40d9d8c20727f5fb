/**
 * A file of one page on a server that is started anew whenever it has answered a WRITE.
 *
 * A request holds its page by a reference that counts as the page's private one, from the write
 * until the server has the bytes on its disk. Linux: `struct nfs_page`.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { type Folio, testFlag } from "../../src/memory/memmap.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { filemapMigrateFolio } from "../../src/migrate/callbacks.ts";
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

/** What the private word of a page says that a request has. */
const REQUEST = 1;

export class NetworkFile {
  readonly file: AddressSpace;
  /** The word that is on the server's disk. */
  onServer = 0;
  /** Linux: `wb_page`. */
  private requested: Folio | null = null;
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    this.file = machine.vm.cache.createMapping("a file on a server", { migrateFolio });
  }

  get hasRequest(): boolean {
    return this.requested !== null;
  }

  /** Writes a word to the file, and returns once the server has it on its disk. */
  *write(value: number): Blocking<void> {
    const { machine, file } = this;
    const { mem } = machine;
    yield* withLockedPage(machine, file, (page) => {
      mem.frames.writeWord(page, 0, value);
      folioAttachPrivate(mem, page, REQUEST);
      this.requested = page;
    });
    // Answered; and the server is started anew with the bytes not on its disk.
    yield "write-answered";
    assert(this.requested !== null, "a request is kept until it is committed");
    this.onServer = mem.frames.readWord(this.requested, 0);
    yield "sent-again";
    yield* withLockedPage(machine, file, (page) => folioDetachPrivate(mem, page));
    this.requested = null;
  }
}

/** Linux: `nfs_migrate_folio()`. */
function* migrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  if (testFlag(mem, src, PG.private)) return "EBUSY";
  return yield* filemapMigrateFolio(mem, mapping, dst, src, mode);
}
