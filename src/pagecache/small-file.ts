/**
 * A plain file, page by page on a device and without buffers, for tests and for scenarios.
 *
 * Page n of the file is block n of the device, of 4096 bytes. It can be read, written, mapped and
 * written back; its folios have no private state.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioNrPages } from "../memory/folio.ts";
import { folioUnlock } from "../memory/folio-lock.ts";
import { type Folio, setFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import type {
  AddressSpace,
  AddressSpaceOperations,
  ReadOutcome,
  WritepageOutcome,
} from "./address-space.ts";
import type { BlockDevice, BlockResult } from "./device/block-device.ts";
import { filemapPageMkwrite } from "./fault.ts";
import { filemapDirtyFolio } from "./mark-dirty.ts";
import type { PageCache } from "./page-cache.ts";
import type { Readahead } from "./readahead-control.ts";
import { folioEndWriteback, folioStartWriteback, mappingSetError } from "./writeback.ts";

/** A file of `pages` whole pages on a device of its own; `more` adds to what its owner can do. */
export function smallFile(
  cache: PageCache,
  device: BlockDevice,
  pages: number,
  more: AddressSpaceOperations = {},
): AddressSpace {
  const traits = { device, sizeBytes: pages * PAGE_SIZE };
  return cache.createMapping("a small file", { ...SMALL_FILE_OPERATIONS, ...more }, traits);
}

const SMALL_FILE_OPERATIONS: AddressSpaceOperations = {
  readFolio,
  readahead,
  writepage,
  dirtyFolio: filemapDirtyFolio,
  pageMkwrite: filemapPageMkwrite,
};

function* readFolio(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<ReadOutcome> {
  yield "small-file-read";
  submitPages(mem, mapping, folio, "read", (result) => {
    setFlag(mem, folio, result === "done" ? PG.uptodate : PG.error);
    folioUnlock(mem, folio);
  });
  return "started";
}

function* readahead(mem: Memory, mapping: AddressSpace, row: Readahead): Blocking<void> {
  for (let folio = row.next(); folio !== null; folio = row.next()) {
    yield* readFolio(mem, mapping, folio);
  }
}

function* writepage(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<WritepageOutcome> {
  yield "small-file-write";
  folioStartWriteback(mem, mapping, folio);
  folioUnlock(mem, folio);
  submitPages(mem, mapping, folio, "write", (result) => {
    if (result === "EIO") mappingSetError(mapping);
    folioEndWriteback(mem, mapping, folio);
  });
  return "started";
}

/** A request a page; `done` is called once, with an error if there was any. */
function submitPages(
  mem: Memory,
  { device }: AddressSpace,
  folio: Folio,
  kind: "read" | "write",
  done: (result: BlockResult) => void,
): void {
  assert(device !== null, "a file without a device is read or written:", folio);
  let left = folioNrPages(mem, folio);
  let worst: BlockResult = "done";
  const firstBlock = mem.index[folio];
  for (let at = 0, pages = left; at < pages; at++) {
    device.submit({
      kind,
      block: firstBlock + at,
      sizeBytes: PAGE_SIZE,
      folio,
      offsetBytes: at * PAGE_SIZE,
      done(result) {
        if (result === "EIO") worst = "EIO";
        if (--left === 0) done(worst);
      },
    });
  }
}
