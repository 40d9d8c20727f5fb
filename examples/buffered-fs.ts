/**
 * A filesystem with buffer heads on a block device: one file, whose blocks lie in a row.
 *
 * What is particular to it is `getBlock`, where a block of the file lies; the rest is what buffers
 * do for every filesystem. A page moves by `bufferMigrateFolio`: it locks the buffers, so that no
 * I/O on them is under way, swaps the page in the cache and has the buffers point to the new one.
 *
 * Whoever finds a page in the cache has a reference and no more: it may be another's, or nobody's,
 * by the time that its lock is there, and must be looked at again (`isInFile`).
 */
import {
  type AddressSpace,
  type AddressSpaceOperations,
  type BlockDevice,
  type Blocking,
  blockDirtyFolio,
  blockInvalidateFolio,
  blockReadFullFolio,
  blockWriteBegin,
  blockWriteEnd,
  blockWriteFullFolio,
  bufferMigrateFolio,
  FileReadahead,
  filemapGetFolio,
  filemapRead,
  folioClearDirtyForIo,
  folioLock,
  folioPut,
  folioUnlock,
  folioWaitWriteback,
  type GetBlock,
  genericPerformWrite,
  isInFile,
  type Machine,
  PAGE_SIZE,
} from "godwit/steps";

/** Bytes of a block: four to a page. */
const BLOCK_BYTES = 1024;
/** Where the file begins on the device: block 0 is the filesystem's own. */
const FIRST_BLOCK = 4;
export const FIRST_WORD: number = (FIRST_BLOCK * BLOCK_BYTES) / 4;

export class BufferedFile {
  readonly mapping: AddressSpace;
  private readonly readahead = new FileReadahead();
  private readonly machine: Machine;

  /** A file of one page on `device`. */
  constructor(machine: Machine, device: BlockDevice) {
    const blocks = machine.vm.cache.createMapping("the device", {}, { device });
    const getBlock: GetBlock = (_mapping, block) => ({
      device: blocks.id,
      block: FIRST_BLOCK + block,
    });
    const ops: AddressSpaceOperations = {
      migrateFolio: bufferMigrateFolio,
      dirtyFolio: blockDirtyFolio,
      invalidateFolio: blockInvalidateFolio,
      writeEnd: blockWriteEnd,
      *readFolio(mem, mapping, folio): Blocking<"started" | "EIO"> {
        return yield* blockReadFullFolio(mem, mapping, folio, getBlock);
      },
      *writeBegin(mem, mapping, pos, length): ReturnType<typeof blockWriteBegin> {
        return yield* blockWriteBegin(mem, mapping, pos, length, getBlock);
      },
      *writepage(mem, mapping, folio, sync): Blocking<"started" | "EIO" | "activate"> {
        return yield* blockWriteFullFolio(mem, mapping, folio, device, sync);
      },
    };
    const traits = { device, sizeBytes: PAGE_SIZE, blockBytes: BLOCK_BYTES };
    this.machine = machine;
    this.mapping = machine.vm.cache.createMapping("a buffered file", ops, traits);
  }

  /** Writes a word of the file, into the cache. */
  *write(word: number, value: number): Blocking<void> {
    const { mem } = this.machine;
    yield* genericPerformWrite(mem, this.mapping, word * 4, Int32Array.of(value));
  }

  *read(word: number): Blocking<number> {
    const words = new Int32Array(1);
    yield* filemapRead(this.machine.mem, this.mapping, this.readahead, word * 4, words);
    return words[0];
  }

  /** What was written before is on the device when this returns. */
  *sync(): Blocking<void> {
    const { mem } = this.machine;
    const { mapping } = this;
    for (;;) {
      const folio = yield* filemapGetFolio(mem, mapping, 0);
      if (folio === null) return;
      yield "sync-found-the-page";
      yield* folioLock(mem, folio);
      const isStill = isInFile(mem, mapping, folio);
      if (isStill) yield* folioWaitWriteback(mem, folio);
      if (isStill && (yield* folioClearDirtyForIo(mem, mapping, folio))) {
        yield* blockWriteFullFolio(mem, mapping, folio, this.device, "all");
      } else {
        folioUnlock(mem, folio);
      }
      yield* folioWaitWriteback(mem, folio);
      folioPut(mem, folio);
      if (isStill) return;
    }
  }

  private get device(): BlockDevice {
    const { device } = this.mapping;
    if (device === null) throw new Error("a file without a device");
    return device;
  }
}
