/**
 * Those who come in between: bodies of tasks that a scenario may add, with `lab.disturb` so that
 * they come in some runs only, or with `lab.task` so that they come in all.
 */
import { ScanControl } from "../callers/reclaim/scan-control.ts";
import { shrinkInactiveList } from "../callers/reclaim/shrink-inactive.ts";
import type { Machine } from "../machine/machine.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioPut, folioTryGet, folioUnpin } from "../memory/folio-ref.ts";
import { GFP_KERNEL } from "../memory/gfp.ts";
import type { Folio } from "../memory/memmap.ts";
import { LRU } from "../memory/node.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { truncateFile } from "../pagecache/truncate.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { Task } from "../sched/task.ts";
import { pinUserPage } from "../vm/gup.ts";
import { entryPfn } from "../vm/page-tables.ts";
import type { UserPage } from "../vm/small-vm.ts";
import { CheckError } from "./check-error.ts";

/** Folios that one batch of reclaim looks at. */
const BATCH = 32;

/**
 * A device pins the page of a process, which keeps it, and lets go of it; does nothing where that
 * fails. Throws if the process has another page by then, or none: the device wrote to nobody's.
 */
export function* pins({ vm, mem }: Machine, page: UserPage): Blocking<void> {
  const { mm, vpn } = page;
  yield "pin-begins";
  const folio = yield* pinUserPage(vm, mm, vpn);
  if (typeof folio === "string") return;
  yield "pinned";
  const entry = mm.directory.lookUp(vpn);
  const now = pageFolio(mem, mem.pfn(entryPfn(vm.tables, entry, vpn)));
  if (now !== folio) throw new CheckError(`a pinned folio has moved: ${folio} to ${now}`);
  folioUnpin(mem, folio);
}

/**
 * Somebody who walks the memory map takes a reference of the frame, whatever is in it, and drops
 * it: compaction, the lookup of a file's folio, the page reporter.
 */
export function* speculates({ mem }: Machine, folio: Folio): Blocking<void> {
  yield "speculation-begins";
  if (!folioTryGet(mem, folio)) return;
  yield "holds-a-speculative-reference";
  folioPut(mem, folio);
}

/** Reclaim of one batch of a list of folios that were not used for long. */
export function* reclaims({ reclaim }: Machine, kind: "anon" | "file"): Blocking<void> {
  const sc = new ScanControl(reclaim, {
    by: "direct",
    gfp: GFP_KERNEL,
    order: 0,
    highestZone: 3,
    pagesToReclaim: BATCH,
  });
  const list = kind === "anon" ? LRU.inactiveAnon : LRU.inactiveFile;
  yield "reclaim-begins";
  yield* shrinkInactiveList(sc, reclaim.nodes[0], list, BATCH);
}

/** The file is cut off, to nothing unless a size is named. */
export function* truncates({ mem }: Machine, file: AddressSpace, sizeBytes = 0): Blocking<void> {
  yield "truncate-begins";
  yield* truncateFile(mem, file, sizeBytes);
}

/** The task is woken once although nothing that it waits for has happened. */
export function* wakesEarly(task: Task): Blocking<void> {
  yield "early-wake-up-begins";
  if (task.state === "asleep") task.queue?.wakeAll();
}
