/**
 * Has the owner of a dirty folio begin to write it, so that it can be freed next time round.
 *
 * The folio is locked, isolated and unmapped. Who else holds it may be writing to it: then nothing
 * is begun. The owner unlocks it, unless it refuses. A write that is over at once, as to memory,
 * lets the caller go on. Linux: `pageout()`, mm/vmscan.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { tryToFreeOrphanBuffers } from "../../pagecache/buffers/folio-buffers.ts";
import { folioClearDirtyForIo, mappingSetError } from "../../pagecache/writeback.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Vm } from "../../vm/vm.ts";

/**
 * "success": unlocked, its write begun or over. "clean": locked, nothing to write. The others leave
 * it locked and dirty.
 */
export type PageoutOutcome = "success" | "clean" | "held_dirty" | "no_storage" | "cannot_write";

export function* pageout(
  vm: Vm,
  mapping: AddressSpace | null,
  folio: Folio,
): Blocking<PageoutOutcome> {
  const { mem } = vm;
  if (!isFreeable(mem, folio)) return "held_dirty";
  if (mapping === null) return cleanOrphan(vm, folio) ? "clean" : "no_storage";
  const { writepage } = mapping.ops;
  if (writepage === undefined) return "cannot_write";
  if (!(yield* folioClearDirtyForIo(mem, mapping, folio))) return "clean";
  setFlag(mem, folio, PG.reclaim);
  const outcome = yield* writepage(mem, mapping, folio, "none");
  if (outcome === "activate") {
    clearFlag(mem, folio, PG.reclaim);
    return "cannot_write";
  }
  if (outcome === "EIO") yield* handleWriteError(mem, mapping, folio);
  if (!testFlag(mem, folio, PG.writeback)) clearFlag(mem, folio, PG.reclaim);
  mem.events.count(VM_EVENT.nr_vmscan_write, folioNrPages(mem, folio));
  return "success";
}

/** Isolation, cache and private state alone hold it. Linux: `is_page_cache_freeable()`. */
function isFreeable(mem: Memory, folio: Folio): boolean {
  const ofPrivate = testFlag(mem, folio, PG.private) ? 1 : 0;
  return mem.refcount[folio] - ofPrivate === 1 + folioNrPages(mem, folio);
}

/** Truncated with buffers in use then; they may be clean by now. */
function cleanOrphan({ mem, cache }: Vm, folio: Folio): boolean {
  if (!testFlag(mem, folio, PG.private)) return false;
  if (!tryToFreeOrphanBuffers(mem, cache.buffers, folio)) return false;
  clearFlag(mem, folio, PG.dirty);
  return true;
}

/** Told to the next fsync, if the folio still is the file's. Linux: `handle_write_error()`. */
function* handleWriteError(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<void> {
  yield* folioLock(mem, folio);
  if (mem.mapping[folio] !== 0) mappingSetError(mapping);
  folioUnlock(mem, folio);
}
