/**
 * A file on a server, whose dirty pages each carry a request: private state that points back.
 *
 * A write makes a request for its page. A commit sends the bytes of each request and forgets it
 * when the server has them; the server may lose them before that, so that until then the request
 * must find the page, wherever it is by now. `private` of the page has the request's number, with
 * a reference to the page, and the request has the page: a move must switch both, under the lock
 * of the page, which is what keeps them together. Linux: the requests of fs/nfs/write.c.
 */
import {
  type AddressSpace,
  type AddressSpaceOperations,
  type Blocking,
  type Folio,
  filemapDirtyFolio,
  folioAttachPrivate,
  folioClearDirtyForIo,
  folioDetachPrivate,
  folioGet,
  folioLock,
  folioMigrateCopy,
  folioMigrateMapping,
  folioPut,
  folioUnlock,
  genericPerformWrite,
  type Machine,
  type Memory,
  type MigrateMode,
  type MigrateOutcome,
  PAGE_SIZE,
  PG,
  type Steps,
  testFlag,
} from "godwit/steps";

interface Request {
  folio: Folio;
}

export class ServedFile {
  readonly mapping: AddressSpace;
  /** The first word of each page, by its offset, as the server has it. */
  readonly server: number[] = [];
  private readonly machine: Machine;
  private readonly requests = new Map<number, Request>();
  private nextRequest = 1;

  constructor(machine: Machine, pages: number) {
    const ops: AddressSpaceOperations = {
      migrateFolio: (mem, mapping, dst, src, mode) => this.migrate(mem, mapping, dst, src, mode),
      dirtyFolio: (mem, mapping, folio) => this.dirty(mem, mapping, folio),
      // Nothing is given up before the server has it.
      releaseFolio: (mem, _mapping, folio) => keeps(mem, folio),
      invalidateFolio: (mem, _mapping, folio) => this.forget(mem, folio),
    };
    const traits = { sizeBytes: pages * PAGE_SIZE, canWriteback: true };
    this.machine = machine;
    this.mapping = machine.vm.cache.createMapping("a served file", ops, traits);
  }

  /** Writes the first word of a page. */
  *write(offset: number, value: number): Blocking<void> {
    const { mem } = this.machine;
    yield* genericPerformWrite(mem, this.mapping, offset * PAGE_SIZE, Int32Array.of(value));
  }

  /** The server has everything that was written before when this returns. */
  *commit(): Blocking<void> {
    const { mem } = this.machine;
    for (const [number, request] of [...this.requests]) {
      yield "commit-of-the-next-request";
      const folio = yield* this.lockPageOf(request);
      if (this.requests.get(number) === request) {
        yield* folioClearDirtyForIo(mem, this.mapping, folio);
        this.server[mem.index[folio]] = mem.frames.readWord(folio, 0);
        yield "commit-sent";
        this.requests.delete(number);
        folioDetachPrivate(mem, folio);
      }
      folioUnlock(mem, folio);
      folioPut(mem, folio);
    }
  }

  /** The page of a request, locked and with a reference; it may have moved on the way. */
  private *lockPageOf(request: Request): Blocking<Folio> {
    const { mem } = this.machine;
    for (;;) {
      const { folio } = request;
      // The request's own reference keeps the page until this one is there.
      folioGet(mem, folio);
      yield "commit-found-the-page";
      yield* folioLock(mem, folio);
      if (request.folio === folio) return folio;
      folioUnlock(mem, folio);
      folioPut(mem, folio);
    }
  }

  private *dirty(mem: Memory, mapping: AddressSpace, folio: Folio): Steps<boolean> {
    if (!testFlag(mem, folio, PG.private)) {
      const number = this.nextRequest++;
      this.requests.set(number, { folio });
      folioAttachPrivate(mem, folio, number);
    }
    return yield* filemapDirtyFolio(mem, mapping, folio);
  }

  private *forget(mem: Memory, folio: Folio): Blocking<void> {
    yield "served-page-cut-off";
    if (testFlag(mem, folio, PG.private)) this.requests.delete(folioDetachPrivate(mem, folio));
  }

  private *migrate(
    mem: Memory,
    mapping: AddressSpace | null,
    dst: Folio,
    src: Folio,
    _mode: MigrateMode,
  ): Blocking<MigrateOutcome> {
    const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
    if (outcome !== "moved") return outcome;
    yield "served-page-swapped";
    if (testFlag(mem, src, PG.private)) {
      const number = folioDetachPrivate(mem, src);
      folioAttachPrivate(mem, dst, number);
      const request = this.requests.get(number);
      if (request !== undefined) request.folio = dst;
    }
    folioMigrateCopy(mem, dst, src);
    return "moved";
  }
}

function* keeps(mem: Memory, folio: Folio): Steps<boolean> {
  yield "served-page-wanted";
  return !testFlag(mem, folio, PG.private);
}
