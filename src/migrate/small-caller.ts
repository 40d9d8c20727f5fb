/** A caller of `migratePages` with the folios of one file, for tests. */
import { assert } from "../base/assert.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import { listFirst, listIsEnd } from "../memory/page-list.ts";
import type { SmallMemoryShape } from "../memory/small-memory.ts";
import type {
  AddressSpace,
  AddressSpaceOperations,
  MigrateMode,
} from "../pagecache/address-space.ts";
import { runToEnd } from "../sched/run.ts";
import { cachedFolio, smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { filemapMigrateFolio } from "./callbacks.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import type { MigrateReason } from "./reason.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

const PLAIN_FILE: AddressSpaceOperations = { migrateFolio: filemapMigrateFolio };

/** A machine with one file, and a list of isolated folios. */
export class Caller {
  readonly vm: Vm;
  readonly mapping: AddressSpace;
  readonly list: PageList;
  readonly target: AllocTarget;
  private offset = 0;

  /** So many frames, or more to say; the file has no private state unless `ops` say otherwise. */
  constructor(shape: number | SmallMemoryShape = 64, ops: AddressSpaceOperations = PLAIN_FILE) {
    this.vm = smallVm(typeof shape === "number" ? { pageCount: shape } : shape);
    this.mapping = this.vm.cache.createMapping("a file", ops);
    this.list = this.vm.mem.takeList();
    this.target = new AllocTarget(this.vm.mem);
  }

  /** The next folio of the file, isolated. */
  isolate(order = 0): Folio {
    const pages = 1 << order;
    const offset = Math.ceil(this.offset / pages) * pages;
    const folio = cachedFolio(this.vm, this.mapping, offset, offset + 1, order);
    this.offset = offset + pages;
    const isolated = isolateForMigration(this.vm.mem, folio, this.list);
    assert(isolated, "the folio is not on the LRU:", folio);
    return folio;
  }

  migrate(mode: MigrateMode = "sync", reason: MigrateReason = "syscall_or_cpuset"): MigrateResult {
    return runToEnd(migratePages(this.vm, this.list, this.target, mode, reason));
  }

  /** What is on the list. */
  get left(): number[] {
    const { mem } = this.vm;
    const folios: number[] = [];
    for (let at = listFirst(mem, this.list); !listIsEnd(this.list, at); at = mem.next[at] as Pfn) {
      folios.push(at);
    }
    return folios;
  }

  /** The counters of migration that are not zero. */
  get counted(): Record<string, number> {
    const counts = Object.entries(this.vm.mem.events.vmstat.snapshot());
    return Object.fromEntries(counts.filter(([name, n]) => /migrat/.test(name) && n > 0));
  }

  /** Pages counted as isolated. */
  get isolated(): number {
    const { isolatedPages } = this.vm.mem.nodes[0];
    return isolatedPages[0] + isolatedPages[1];
  }
}
