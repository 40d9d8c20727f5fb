/**
 * Machines that the benchmarks run on: a zone a node, one process or one file.
 */
import { assert } from "../src/base/assert.ts";
import { Random } from "../src/base/random.ts";
import { Machine } from "../src/machine/machine.ts";
import { placeFreeBlock } from "../src/memory/buddy.ts";
import { MIGRATE } from "../src/memory/constants.ts";
import { folioLock, folioTrylock, folioUnlock } from "../src/memory/folio-lock.ts";
import { folioGet, folioPut } from "../src/memory/folio-ref.ts";
import type { Frames } from "../src/memory/frames.ts";
import { folioAddLru, lruAddDrainAll } from "../src/memory/lru.ts";
import type { Folio, Pfn } from "../src/memory/memmap.ts";
import type { Memory } from "../src/memory/memory.ts";
import { folioAlloc, movableRequest } from "../src/memory/page-alloc.ts";
import { PG } from "../src/memory/page-flags.ts";
import { drainAllPages } from "../src/memory/pcp.ts";
import type { ZoneShape } from "../src/memory/zone.ts";
import { bufferMigrateFolio } from "../src/migrate/buffer-callbacks.ts";
import { filemapMigrateFolio } from "../src/migrate/callbacks.ts";
import type { AddressSpace, AddressSpaceOperations } from "../src/pagecache/address-space.ts";
import { blockDirtyFolio } from "../src/pagecache/buffers/dirty-buffers.ts";
import { createEmptyBuffers } from "../src/pagecache/buffers/folio-buffers.ts";
import { filemapAddFolio, filemapRemoveFolio } from "../src/pagecache/page-cache.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { runToEnd } from "../src/sched/run.ts";
import { anonymousFault } from "../src/vm/fault.ts";
import { zapRange } from "../src/vm/zap.ts";

/** Pages that the zone keeps free, so that compaction has room to begin. */
const WATERMARK_MIN = 1024;

/** Four buffers a page. */
const BLOCK_BYTES = 1024;

/** A machine whose memory is free, in blocks of the largest order, every block movable. */
export function freeMachine(pageCount: number, frames: Frames, nodes = 1): Machine {
  const ids = [...Array(nodes).keys()];
  const machine = new Machine(
    {
      pageCount,
      nodeOfCpu: [0],
      distances: ids.map((from) => ids.map((to) => (from === to ? 10 : 20))),
      zones: ids.map((node) => wholeNode(node, pageCount / nodes)),
    },
    frames,
  );
  const { mem } = machine;
  mem.flags.fill(0);
  mem.pageblockFlags.fill(MIGRATE.movable);
  for (let pfn = 0; pfn < pageCount; pfn += 1024) {
    placeFreeBlock(mem, mem.zoneOf(pfn as Pfn), pfn as Pfn, 10, MIGRATE.movable);
  }
  return machine;
}

function wholeNode(node: number, pages: number): ZoneShape {
  return {
    type: "Normal",
    node,
    startPfn: node * pages,
    spanned: pages,
    present: pages,
    managed: pages,
    watermarkMin: WATERMARK_MIN,
    watermarkLow: WATERMARK_MIN,
    watermarkHigh: WATERMARK_MIN,
    lowmemReserve: [],
    pcp: [{ high: 512, batch: 63 }],
  };
}

/** The cached pages of one file fill a machine; all but `share` of them are dropped at random. */
export function fragmentedFile(
  pageCount: number,
  share: number,
  frames: Frames,
  state: "clean" | "dirty buffers",
): Machine {
  const machine = freeMachine(pageCount, frames);
  const { mem, vm } = machine;
  const ops: AddressSpaceOperations =
    state === "clean"
      ? { migrateFolio: filemapMigrateFolio }
      : { migrateFolio: bufferMigrateFolio };
  const mapping = vm.cache.createMapping("file", ops);
  const random = new Random(1);
  const dropped: Folio[] = [];
  for (let offset = 0; offset < pageCount - 2 * WATERMARK_MIN; offset++) {
    const folio = cacheFolio(mem, mapping, offset);
    if (!random.chance(share)) dropped.push(folio);
    else if (state === "dirty buffers") runToEnd(dirtyBuffers(mem, mapping, folio));
  }
  lruAddDrainAll(mem);
  for (const folio of dropped) {
    assert(folioTrylock(mem, folio), "somebody locks a folio of a machine at rest:", folio);
    folioGet(mem, folio);
    filemapRemoveFolio(mem, mapping, folio);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
  drainAllPages(mem);
  return machine;
}

export function cacheFolio(mem: Memory, mapping: AddressSpace, offset: number): Folio {
  const folio = folioAlloc(mem, movableRequest(0));
  assert(folio !== null, "no memory for the file's page", offset);
  mem.flags[folio] |= PG.uptodate;
  filemapAddFolio(mem, mapping, folio, offset);
  folioAddLru(mem, folio);
  folioPut(mem, folio);
  return folio;
}

function* dirtyBuffers(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<void> {
  yield* folioLock(mem, folio);
  yield* createEmptyBuffers(mem, mapping, folio, BLOCK_BYTES);
  yield* blockDirtyFolio(mem, mapping, folio);
  folioUnlock(mem, folio);
}

/**
 * A machine of which one process has touched every page in ascending order and given all but
 * `share` of them back, at random.
 */
export function fragmentedMachine(pageCount: number, share: number, frames: Frames): Machine {
  const machine = freeMachine(pageCount, frames);
  const { mem, vm } = machine;
  const mm = vm.createMm("process");
  const pages = pageCount - 2 * WATERMARK_MIN;
  const vma = vm.mapAnonymous(mm, mm.freeRange(pages));
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    runToEnd(anonymousFault(vm, vma, vpn));
  }
  const random = new Random(1);
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    if (!random.chance(share)) runToEnd(zapRange(vm, vma, vpn, vpn + 1));
  }
  lruAddDrainAll(mem);
  drainAllPages(mem);
  return machine;
}
