/**
 * The contract of a driver whose pages the VM may move (`MovableOperations`).
 *
 * | operation   | on entry                            | on return                                |
 * |-------------|-------------------------------------|------------------------------------------|
 * | isolatePage | locked, movable, not isolated, the  | locked, movable, not marked isolated; a  |
 * |             | VM has a reference                  | refusal leaves the references as before  |
 * | migratePage | both locked, src isolated, movable; | "moved": both locked, dst movable and    |
 * |             | dst nobody's                        | held, src let go of and its reference    |
 * |             |                                     | put; else src as before or let go of,    |
 * |             |                                     | dst nobody's. The links of src stay      |
 * | putbackPage | locked, movable, isolated           | locked, movable, still marked isolated   |
 *
 * Linux: `struct movable_operations`, Documentation/mm/page_migration.rst, 6.1.
 */
import { MAPPING_FLAGS, MAPPING_MOVABLE, mappingId } from "../../memory/mapping-word.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { MigrateMode, MigrateOutcome } from "../../pagecache/address-space.ts";
import type { MovableOperations } from "../../pagecache/movable-operations.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { Contract, type FolioSight, type Turns } from "./contract.ts";

const ENTRY = "on entry";

/** The same table, each operation of which throws a `ContractError` where a contract is broken. */
export function checkedMovableOperations(ops: MovableOperations, turns: Turns): MovableOperations {
  const { name } = ops;
  return {
    name,
    *isolatePage(mem: Memory, page: Folio, mode: number): Steps<boolean> {
      const contract = new Contract(mem, name, "isolatePage", turns);
      const before = contract.sight(page);
      isTheDrivers(contract, page, "the page", ENTRY);
      contract.lacks(page, "the page", PG.isolated, ENTRY);
      const isTaken = yield* ops.isolatePage(mem, page, mode);
      const when = `after "${isTaken}"`;
      isTheDrivers(contract, page, "the page", when);
      contract.lacks(page, "the page", PG.isolated, when);
      keepsReferences(contract, page, before, when);
      return isTaken;
    },
    *migratePage(mem: Memory, dst: Folio, src: Folio, mode: MigrateMode): Blocking<MigrateOutcome> {
      const contract = new Contract(mem, name, "migratePage", turns);
      const [dstBefore, srcBefore] = [contract.sight(dst), contract.sight(src)];
      isTheDrivers(contract, src, "src", ENTRY);
      contract.has(src, "src", PG.isolated, ENTRY);
      contract.has(dst, "dst", PG.locked, ENTRY);
      contract.isSame(dst, "dst", "mapping", 0, dstBefore.mapping, ENTRY);
      const outcome = yield* ops.migratePage(mem, dst, src, mode);
      const when = `after "${outcome}"`;
      contract.has(src, "src", PG.locked, when);
      contract.has(dst, "dst", PG.locked, when);
      contract.has(src, "src", PG.isolated, when);
      keepsLinks(contract, src, srcBefore, when);
      if (outcome === "moved") hasMoved(contract, dst, src, dstBefore, srcBefore);
      else hasStayed(contract, dst, src, dstBefore, srcBefore, when);
      return outcome;
    },
    *putbackPage(mem: Memory, page: Folio): Steps<void> {
      const contract = new Contract(mem, name, "putbackPage", turns);
      const before = contract.sight(page);
      isTheDrivers(contract, page, "the page", ENTRY);
      contract.has(page, "the page", PG.isolated, ENTRY);
      yield* ops.putbackPage(mem, page);
      isTheDrivers(contract, page, "the page", "on return");
      contract.has(page, "the page", PG.isolated, "on return");
      keepsReferences(contract, page, before, "on return");
    },
  };
}

function isTheDrivers(contract: Contract, page: Folio, name: string, when: string): void {
  contract.has(page, name, PG.locked, when);
  const { mapping, refcount } = contract.sight(page);
  contract.holds(isMovable(mapping), when, `${name} ${page} that is not movable`, "movable");
  // Its own, and the one by which the VM keeps the page.
  contract.holds(refcount >= 2, when, `refcount ${refcount} of ${name} ${page}`, "2 at least");
}

function isMovable(mapping: number): boolean {
  return (mapping & MAPPING_FLAGS) === MAPPING_MOVABLE && mappingId(mapping) >= 0;
}

function keepsReferences(
  contract: Contract,
  page: Folio,
  { refcount }: FolioSight,
  when: string,
): void {
  if (!contract.isQuiet) return;
  const now = contract.sight(page);
  contract.isSame(page, "the page", "refcount", refcount, now.refcount, when);
}

/** The page is on a list of the VM's. */
function keepsLinks(contract: Contract, src: Folio, before: FolioSight, when: string): void {
  if (!contract.isQuiet) return;
  const now = contract.sight(src);
  contract.isSame(src, "src", "next", before.next, now.next, when);
  contract.isSame(src, "src", "prev", before.prev, now.prev, when);
}

function hasMoved(
  contract: Contract,
  dst: Folio,
  src: Folio,
  dstBefore: FolioSight,
  srcBefore: FolioSight,
): void {
  const when = 'after "moved"';
  const [dstNow, srcNow] = [contract.sight(dst), contract.sight(src)];
  contract.isSame(dst, "dst", "mapping", srcBefore.mapping, dstNow.mapping, when);
  const found = `src ${src} that is still movable`;
  contract.holds(!isMovable(srcNow.mapping), when, found, "let go of");
  if (!contract.isQuiet) return;
  contract.isSame(src, "src", "refcount", srcBefore.refcount - 1, srcNow.refcount, when);
  contract.isSame(dst, "dst", "refcount", dstBefore.refcount + 1, dstNow.refcount, when);
}

/** A driver may also have freed `src` on the way, and then does not have the new one either. */
function hasStayed(
  contract: Contract,
  dst: Folio,
  src: Folio,
  dstBefore: FolioSight,
  srcBefore: FolioSight,
  when: string,
): void {
  const [dstNow, srcNow] = [contract.sight(dst), contract.sight(src)];
  contract.isSame(dst, "dst", "mapping", 0, dstNow.mapping, when);
  const isKept = isMovable(srcNow.mapping);
  if (when === 'after "EAGAIN"') {
    contract.holds(isKept, when, `src ${src} that was let go of`, "movable, to be tried again");
  }
  if (!contract.isQuiet) return;
  const srcHas = srcBefore.refcount - (isKept ? 0 : 1);
  contract.isSame(src, "src", "refcount", srcHas, srcNow.refcount, when);
  contract.isSame(dst, "dst", "refcount", dstBefore.refcount, dstNow.refcount, when);
}
