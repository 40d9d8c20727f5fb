/**
 * The contract of an owner's `migrateFolio`: what the VM brings, and what the owner leaves.
 *
 * | moment    | src                                           | dst                             |
 * |-----------|-----------------------------------------------|---------------------------------|
 * | entry     | locked, unmapped, off the LRU, no writeback   | locked, nobody's, off the LRU   |
 * | "moved"   | locked, no private state, the cache's and the | locked, in src's place, with    |
 * |           | private state's references put                | its bytes, its dirt             |
 * | any other | locked, as it was                             | locked, as it was               |
 *
 * No sleep in mode "async" is the engine's own check. Linux: `migrate_folio()` of
 * Documentation/filesystems/vfs.rst and locking.rst, 6.1.
 */
import { folioNrPages } from "../../memory/folio.ts";
import { PAGE_WORDS } from "../../memory/frames.ts";
import { MAPPING_FLAGS } from "../../memory/mapping-word.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type {
  AddressSpace,
  MigrateFolio,
  MigrateMode,
  MigrateOutcome,
} from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { Contract, type FolioSight, type Turns } from "./contract.ts";

const ENTRY = "on entry";

export function checkedMigrateFolio(owner: string, turns: Turns, move: MigrateFolio): MigrateFolio {
  return function* checked(
    mem: Memory,
    mapping: AddressSpace | null,
    dst: Folio,
    src: Folio,
    mode: MigrateMode,
  ): Blocking<MigrateOutcome> {
    const call = new MigrateCall(new Contract(mem, owner, "migrateFolio", turns), mem, dst, src);
    call.entry();
    const outcome = yield* move(mem, mapping, dst, src, mode);
    if (outcome === "moved") call.moved(mapping, mode);
    else call.refused(outcome);
    return outcome;
  };
}

class MigrateCall {
  private readonly contract: Contract;
  private readonly mem: Memory;
  private readonly dst: Folio;
  private readonly src: Folio;
  private readonly srcBefore: FolioSight;
  private readonly dstBefore: FolioSight;

  constructor(contract: Contract, mem: Memory, dst: Folio, src: Folio) {
    this.contract = contract;
    this.mem = mem;
    this.dst = dst;
    this.src = src;
    this.srcBefore = contract.sight(src);
    this.dstBefore = contract.sight(dst);
  }

  entry(): void {
    const { contract, src, dst, dstBefore } = this;
    contract.has(src, "src", PG.locked, ENTRY);
    contract.lacks(src, "src", PG.lru, ENTRY);
    contract.lacks(src, "src", PG.writeback, ENTRY);
    contract.isUnmapped(src, "src", ENTRY);
    contract.has(dst, "dst", PG.locked, ENTRY);
    contract.lacks(dst, "dst", PG.lru, ENTRY);
    contract.lacks(dst, "dst", PG.private, ENTRY);
    contract.isSame(dst, "dst", "mapping", 0, dstBefore.mapping, ENTRY);
  }

  moved(mapping: AddressSpace | null, mode: MigrateMode): void {
    const { contract, mem, src, dst, srcBefore } = this;
    const when = 'after "moved"';
    contract.has(src, "src", PG.locked, when);
    contract.has(dst, "dst", PG.locked, when);
    contract.isSame(dst, "dst", "mapping", srcBefore.mapping, mem.mapping[dst], when);
    contract.isSame(dst, "dst", "index", srcBefore.index, mem.index[dst], when);
    const isInFile = mapping !== null && (srcBefore.mapping & MAPPING_FLAGS) === 0;
    if (isInFile) this.isInPlace(mapping, when);
    contract.lacks(src, "src", PG.private, when);
    if (contract.isQuiet && (srcBefore.flags & PG.dirty) !== 0) {
      contract.has(dst, "dst", PG.dirty, when);
    }
    if (mode !== "sync-no-copy") this.hasTheBytes(when);
    if (contract.isQuiet && (srcBefore.flags & PG.hugetlb) === 0) this.referencesWent(when);
  }

  refused(outcome: string): void {
    const { contract, src, dst, srcBefore, dstBefore } = this;
    const when = `after "${outcome}"`;
    contract.isAsBefore(src, "src", srcBefore, when);
    contract.isAsBefore(dst, "dst", dstBefore, when);
  }

  private isInPlace(mapping: AddressSpace, when: string): void {
    const { index } = this.srcBefore;
    const found = mapping.folios.load(index);
    const what = `folio ${found ?? "none"} at ${index} of the file`;
    this.contract.holds(found === this.dst, when, what, `dst ${this.dst}`);
  }

  private hasTheBytes(when: string): void {
    const { mem, src, dst } = this;
    const { frames } = mem;
    const words = frames.contents === "tokens" ? 1 : PAGE_WORDS;
    for (let page = 0; page < folioNrPages(mem, src); page++) {
      for (let word = 0; word < words; word++) {
        const was = frames.readWord((src + page) as Pfn, word);
        const now = frames.readWord((dst + page) as Pfn, word);
        const found = `${now} in word ${word} of dst ${dst + page}`;
        this.contract.holds(now === was, when, found, `${was}, as in src ${src + page}`);
      }
    }
  }

  /**
   * The cache's and the private state's are dst's now, each with its own. So are any that the owner
   * has beyond those, as a ring of events has to its page: what src lost more, dst has more.
   */
  private referencesWent(when: string): void {
    const { contract, mem, src, dst, srcBefore, dstBefore } = this;
    const pages = folioNrPages(mem, src);
    const ofPrivate = (flags: number): number => ((flags & PG.private) !== 0 ? 1 : 0);
    const srcLeft = srcBefore.refcount - pages - ofPrivate(srcBefore.flags);
    const dstHas = dstBefore.refcount + pages + ofPrivate(mem.flags[dst]);
    const ofOwner = Math.max(srcLeft - mem.refcount[src], 0);
    contract.isSame(src, "src", "refcount", srcLeft - ofOwner, mem.refcount[src], when);
    contract.isSame(dst, "dst", "refcount", dstHas + ofOwner, mem.refcount[dst], when);
  }
}
