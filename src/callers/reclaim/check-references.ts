/**
 * Whether a folio at the tail of the inactive list has earned to stay.
 *
 * Every mapped page has been used once, by the fault that mapped it: that alone keeps it for one
 * more round, no more. A second use, or a second process, makes it active; so does one use of a
 * program's code. Use by read and write counts through PG_referenced, and only if nobody maps it.
 * Linux: `folio_check_references()`, mm/vmscan.c, 6.1.
 */
import { isolatedClass } from "../../memory/lru-list.ts";
import { type Folio, setFlag, testAndClearFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Steps } from "../../sched/blocking.ts";
import { folioReferenced } from "../../vm/folio-referenced.ts";
import { VM } from "../../vm/mm.ts";
import type { Vm } from "../../vm/vm.ts";

/** "reclaim-clean": only if nothing has to be written for it. */
export type FolioReferences = "reclaim" | "reclaim-clean" | "keep" | "activate";

/** The folio is locked and isolated. Clears what it finds. */
export function* folioCheckReferences(vm: Vm, folio: Folio): Steps<FolioReferences> {
  const { mem } = vm;
  const { count, vmFlags } = yield* folioReferenced(vm, folio, "locked");
  const wasReferenced = testAndClearFlag(mem, folio, PG.referenced);
  // It has been mlocked by now, and goes to the unevictable list by way of the active one.
  if ((vmFlags & VM.locked) !== 0) return "activate";
  const isFile = isolatedClass(mem, folio) === 1;
  if (count > 0) {
    setFlag(mem, folio, PG.referenced);
    if (wasReferenced || count > 1) return "activate";
    return (vmFlags & VM.exec) !== 0 && isFile ? "activate" : "keep";
  }
  return wasReferenced && isFile ? "reclaim-clean" : "reclaim";
}
