/**
 * `import … from "godwit"`: a machine, what runs on it, who moves its pages and who owns them.
 *
 * The names are the engine's own, and Linux's. Everything is an ordinary function here: a call runs
 * to its end before it returns, and one that only another task could let go on throws a
 * `WouldSleepError`. `godwit/steps` has the same names as calls that are preempted and sleep.
 * Re-exports and nothing else.
 *
 * @module godwit
 */

// A machine.
export { InvariantError } from "../base/assert.ts";
export { ERRNO, type Errno } from "../base/errno.ts";
export { ALL_FEATURES, type Features } from "../base/features.ts";
export { InputError } from "../base/input-error.ts";
export { type KernelProfile, PROFILES, type Release } from "../base/profile.ts";
export { Random } from "../base/random.ts";
// Who moves pages, or makes room.
export {
  compactMemory,
  compactZone,
  type ZoneCompaction,
} from "../callers/compaction/compact-zone.ts";
export {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  type CompactRequest,
  type CompactResult,
  type CompactSysctl,
} from "../callers/compaction/control.ts";
export {
  type MovePagesCall,
  type MovePagesResult,
  MPOL_MF,
  movePages,
} from "../callers/move-pages/move-pages.ts";
export { userInput, userOutput } from "../callers/move-pages/user-array.ts";
export { tryToFreePages } from "../callers/reclaim/direct-reclaim.ts";
// What is told: counters, trace events, refusals.
export { Events, TraceLines, type TraceSink } from "../events/events.ts";
export { REFUSAL_TEXT, type Refusal, type RefusalName, Refusals } from "../events/refusals.ts";
export { VM_EVENT, type VmEventName, type Vmstat } from "../events/vmstat.ts";
export { fillContents, type Verification, verifyContents } from "../machine/contents.ts";
export { createMachine, type MachineOptions } from "../machine/create-machine.ts";
export { freeBlocksByOrder } from "../machine/free-blocks.ts";
export { checkInvariants } from "../machine/invariants.ts";
export { Machine } from "../machine/machine.ts";
export { smallMachine } from "../machine/small-machine.ts";
export { teardown } from "../machine/teardown.ts";
// What is moved: frames, folios, zones.
export { byteFrames } from "../memory/byte-frames.ts";
export { MIGRATE, PAGE_SIZE, PAGEBLOCK_ORDER } from "../memory/constants.ts";
export { folioMapcount, folioNrPages, folioOrder, pageFolio } from "../memory/folio.ts";
export { folioLock, folioTrylock, folioUnlock, folioWaitWriteback } from "../memory/folio-lock.ts";
export { folioGet, folioPut, folioTryGet } from "../memory/folio-ref.ts";
export { type Frames, PAGE_WORDS, TokenFrames } from "../memory/frames.ts";
export {
  GFP,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  type GfpRequest,
  gfpRequest,
} from "../memory/gfp.ts";
export { folioAddLru, lruAddDrainAll } from "../memory/lru.ts";
export {
  clearFlag,
  type Folio,
  type PageList,
  type Pfn,
  setFlag,
  testFlag,
} from "../memory/memmap.ts";
export { Memory, type MemoryShape } from "../memory/memory.ts";
export type { Node } from "../memory/node.ts";
export {
  type AllocRequest,
  folioAlloc,
  folioAllocGfp,
  movableRequest,
} from "../memory/page-alloc.ts";
export { type PageFlag, PG } from "../memory/page-flags.ts";
export { listAdd, listAddTail, listDel, listEmpty, listFirst } from "../memory/page-list.ts";
export { drainAllPages } from "../memory/pcp.ts";
export type { Zone, ZoneShape } from "../memory/zone.ts";
export { bufferMigrateFolio, bufferMigrateFolioNorefs } from "../migrate/buffer-callbacks.ts";
export { fallbackMigrateFolio, filemapMigrateFolio, migrateFolio } from "../migrate/callbacks.ts";
export { folioExpectedRefs, folioMigrateMapping } from "../migrate/folio-mapping.ts";
export { folioMigrateCopy, folioMigrateFlags } from "../migrate/folio-state.ts";
export { isolateMovablePage } from "../migrate/isolate-movable.ts";
export { type MigrateResult, migratePages } from "../migrate/migrate-pages.ts";
export type { MigrationTarget } from "../migrate/migrate-run.ts";
export {
  clearPageMovable,
  pageMovable,
  pageMovableOps,
  setPageMovable,
} from "../migrate/movable-page.ts";
export { putbackMovablePages } from "../migrate/putback.ts";
export type { MigrateReason } from "../migrate/reason.ts";
export { AllocTarget, isolateForMigration } from "../migrate/small-migration.ts";
// Who owns pages: the operations of files and drivers, and what to build them from.
export {
  AddressSpace,
  type AddressSpaceOperations,
  type AddressSpaceTraits,
  AS,
  type MigrateFolio,
  type MigrateMode,
  type MigrateOutcome,
} from "../pagecache/address-space.ts";
export { BH, type BufferHead } from "../pagecache/buffers/buffer-head.ts";
export { blockDirtyFolio, markBufferDirty } from "../pagecache/buffers/dirty-buffers.ts";
export {
  folioAttachPrivate,
  folioBuffers,
  folioDetachPrivate,
} from "../pagecache/buffers/folio-buffers.ts";
export { blockInvalidateFolio } from "../pagecache/buffers/invalidate-buffers.ts";
export { folioMappedBuffers, type GetBlock } from "../pagecache/buffers/map-buffers.ts";
export { blockReadFullFolio } from "../pagecache/buffers/read-buffers.ts";
export { blockWriteBegin, blockWriteEnd } from "../pagecache/buffers/write-begin.ts";
export { blockWriteFullFolio } from "../pagecache/buffers/write-buffers.ts";
// Files, devices and swap.
export {
  type BlockDevice,
  type BlockRequest,
  type BlockResult,
  MemoryDevice,
  SlowDevice,
  type Slowness,
} from "../pagecache/device/block-device.ts";
export { FileReadahead } from "../pagecache/file-readahead.ts";
export { filemapDirtyFolio, folioMarkDirty } from "../pagecache/mark-dirty.ts";
export { ISOLATE, type MovableOperations } from "../pagecache/movable-operations.ts";
export {
  filemapAddFolio,
  filemapGetFolio,
  filemapRemoveFolio,
  type PageCache,
} from "../pagecache/page-cache.ts";
export { filemapRead, isInFile, type ReadError } from "../pagecache/read.ts";
export { smallFile } from "../pagecache/small-file.ts";
export { truncateFile } from "../pagecache/truncate.ts";
export { genericPerformWrite, type WriteError } from "../pagecache/write.ts";
export { filemapWriteAndWait } from "../pagecache/write-cache-pages.ts";
export {
  folioClearDirtyForIo,
  folioEndWriteback,
  folioStartWriteback,
} from "../pagecache/writeback.ts";
// Who runs.
export { Clock } from "../sched/clock.ts";
export { runToEnd } from "../sched/run.ts";
export { WouldSleepError } from "../sched/wait-queue.ts";
export { freeHugePages } from "../snapshot/snapshot.ts";
export { type FaultError, readUser, userPage, writeUser } from "../vm/fault.ts";
export { forkMm } from "../vm/fork.ts";
export { FOLL, getUserPages, putUserPages, unpinUserPages } from "../vm/gup.ts";
export { madviseMergeable, madviseUnmergeable } from "../vm/ksm/madvise.ts";
export { ksmScan } from "../vm/ksm/scan.ts";
export { type Advice, madvise } from "../vm/madvise/madvise.ts";
export { type Mm, VM, type Vma, type VmaRange } from "../vm/mm.ts";
export { MREMAP, mremap } from "../vm/mremap.ts";
export type { PolicyMode, PolicyRequest } from "../vm/policy/mempolicy.ts";
export { mbindPolicy, setMempolicy } from "../vm/policy/set-policy.ts";
// What runs on it: processes and their memory.
export { becomeUser, credentialsOf, Process, ProcessTable } from "../vm/process.ts";
export { protectRange } from "../vm/protect.ts";
export type { SwapArea, SwapAreaOptions } from "../vm/swap/swap-area.ts";
export { RamSwap, type SwapDevice, slowSwap } from "../vm/swap/swap-device.ts";
export { swapOff } from "../vm/swap/swap-off.ts";
export { Vm } from "../vm/vm.ts";
export { exitMm, unmapRange } from "../vm/zap.ts";
