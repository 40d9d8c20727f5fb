/**
 * An owner that knows nothing of moves: no `migrateFolio`, and a mark of its own on each page.
 *
 * A page of it moves all the same, by the fallback: a dirty page is written out first, its private
 * state is given up by `releaseFolio`, and then it moves as one without. That takes long, and two
 * tries; and it holds only if `writepage` has the page under writeback before it lets go of the
 * page's lock, for then nobody takes it for clean until the device has it.
 */
import {
  type AddressSpace,
  type AddressSpaceOperations,
  type BlockDevice,
  type Blocking,
  FileReadahead,
  type Folio,
  filemapDirtyFolio,
  filemapRead,
  filemapWriteAndWait,
  folioAttachPrivate,
  folioDetachPrivate,
  folioEndWriteback,
  folioStartWriteback,
  folioUnlock,
  genericPerformWrite,
  type Machine,
  type Memory,
  PAGE_SIZE,
  PG,
  type Steps,
  testFlag,
} from "godwit/steps";

/** In `private` of each page: what this owner would have to say about it. */
const MARK = 7;

export class UnmovedFile {
  readonly mapping: AddressSpace;
  private readonly readahead = new FileReadahead();
  private readonly machine: Machine;

  /** A file of one page on `device`. */
  constructor(machine: Machine, device: BlockDevice) {
    const ops: AddressSpaceOperations = {
      writepage: (mem, mapping, folio) => writepage(mem, mapping, folio, device),
      releaseFolio: (mem, _mapping, folio) => release(mem, folio),
      invalidateFolio: (mem, _mapping, folio) => forget(mem, folio),
      dirtyFolio: (mem, mapping, folio) => dirty(mem, mapping, folio),
    };
    this.machine = machine;
    this.mapping = machine.vm.cache.createMapping("an unmoved file", ops, {
      device,
      sizeBytes: PAGE_SIZE,
    });
  }

  *write(word: number, value: number): Blocking<void> {
    const { mem } = this.machine;
    yield* genericPerformWrite(mem, this.mapping, word * 4, Int32Array.of(value));
  }

  /** What was written before is on the device when this returns. */
  *sync(): Blocking<void> {
    yield* filemapWriteAndWait(this.machine.mem, this.mapping);
  }

  *read(word: number): Blocking<number> {
    const words = new Int32Array(1);
    yield* filemapRead(this.machine.mem, this.mapping, this.readahead, word * 4, words);
    return words[0];
  }
}

/** The page is locked; the write ends when the device says so. */
function* writepage(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  device: BlockDevice,
): Blocking<"started"> {
  folioStartWriteback(mem, mapping, folio);
  yield "unmoved-under-writeback";
  folioUnlock(mem, folio);
  device.submit({
    kind: "write",
    block: mem.index[folio],
    sizeBytes: PAGE_SIZE,
    folio,
    offsetBytes: 0,
    done: () => folioEndWriteback(mem, mapping, folio),
  });
  return "started";
}

/** Gives the mark up: there is nothing that it would be needed for. */
function* release(mem: Memory, folio: Folio): Steps<boolean> {
  yield "unmoved-releases";
  if (testFlag(mem, folio, PG.private)) folioDetachPrivate(mem, folio);
  return true;
}

function* forget(mem: Memory, folio: Folio): Blocking<void> {
  yield* release(mem, folio);
}

/** A page that is written to gets its mark. */
function* dirty(mem: Memory, mapping: AddressSpace, folio: Folio): Steps<boolean> {
  if (!testFlag(mem, folio, PG.private)) folioAttachPrivate(mem, folio, MARK);
  return yield* filemapDirtyFolio(mem, mapping, folio);
}
