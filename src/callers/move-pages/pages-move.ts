/**
 * Sends the pages of one process to the nodes that a call names.
 *
 * Entries are taken in order. Consecutive entries for one node are one batch, moved together; an
 * entry that cannot be queued (there already, not mapped, shared, busy) gets its status at once
 * and ends the batch. A bad node, one that the target's cpuset forbids, or an array that faults
 * ends the call, but what is queued by then still moves. Where folios of a batch stay, none of its
 * statuses is written and the call returns how many pages are left, those never looked at
 * included.
 *
 * Linux: `do_pages_move()`, mm/migrate.c, 6.1.
 */
import type { Errno } from "../../base/errno.ts";
import { ERRNO } from "../../base/errno.ts";
import { folioNrPages, pageFolio, pageMapcount } from "../../memory/folio.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { GFP, GFP_HIGHUSER_MOVABLE } from "../../memory/gfp.ts";
import { folioIsolateLru, lruCacheDisable, lruCacheEnable } from "../../memory/lru.ts";
import { isolatedClass } from "../../memory/lru-list.ts";
import type { Folio, PageList, Pfn } from "../../memory/memmap.ts";
import { listAddTail, listEmpty } from "../../memory/page-list.ts";
import { allocMigrationTarget } from "../../migrate/alloc-migration-target.ts";
import { migratePages } from "../../migrate/migrate-pages.ts";
import type { MigrationTarget } from "../../migrate/migrate-run.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { followPage, vmaMigratable } from "../../vm/follow-page.ts";
import { folioTestHugetlb } from "../../vm/hugetlb/folio-state.ts";
import { folioIsolateHugetlb } from "../../vm/hugetlb/isolate.ts";
import type { Mm } from "../../vm/mm.ts";
import type { Vm } from "../../vm/vm.ts";
import { putUser, type UserInput, type UserOutput } from "./user-array.ts";

/** Node numbers that the kernel was built for. Linux: MAX_NUMNODES. */
const MAX_NUMNODES = 1024;

export interface PagesMove {
  readonly nrPages: number;
  /** Virtual page numbers. */
  readonly pages: UserInput;
  readonly nodes: UserInput;
  readonly status: UserOutput;
  /** Whether pages that others map too may move. */
  readonly moveAll: boolean;
}

/** Whose pages move, and where its cpuset lets them be. */
export interface PagesOwner {
  readonly mm: Mm;
  readonly cpusetMems: ReadonlySet<number> | null;
}

/** How many pages are left, 0 if none, or what ended the call. */
export function* doPagesMove(vm: Vm, owner: PagesOwner, move: PagesMove): Blocking<number | Errno> {
  lruCacheDisable(vm.mem);
  const run = new PagesMoveRun(vm, owner, move);
  const left = yield* run.move();
  lruCacheEnable(vm.mem);
  return left;
}

const NO_NODE = -1;

/** One call that moves: the batch at hand, and how far it is. */
class PagesMoveRun {
  private readonly vm: Vm;
  private readonly owner: PagesOwner;
  private readonly request: PagesMove;
  private readonly queued: PageList;
  /** Node and first entry of the batch. */
  private node = NO_NODE;
  private start = 0;

  constructor(vm: Vm, owner: PagesOwner, request: PagesMove) {
    this.vm = vm;
    this.owner = owner;
    this.request = request;
    this.queued = vm.mem.takeList();
  }

  *move(): Blocking<number | Errno> {
    const left = yield* this.moveAll();
    this.vm.mem.releaseList(this.queued);
    return left;
  }

  private *moveAll(): Blocking<number | Errno> {
    const { nrPages, pages } = this.request;
    for (let at = 0; at < nrPages; at++) {
      const node = this.nodeFor(at);
      if (typeof node === "string") {
        // What is wrong with this entry is what the caller is told, whatever becomes of the batch.
        yield* this.flush(at);
        return node;
      }
      if (this.node !== NO_NODE && this.node !== node) {
        const left = yield* this.flush(at);
        if (left !== 0) return left;
        this.node = NO_NODE;
      }
      if (this.node === NO_NODE) {
        this.node = node;
        this.start = at;
      }
      yield "move-pages-next";
      const ended = yield* this.take(at, pages.values[at]);
      if (ended !== null) return ended;
    }
    return yield* this.flush(nrPages);
  }

  /** Queues one entry, or tells its status and ends the batch. What is returned ends the call. */
  private *take(at: number, vpn: number): Blocking<number | Errno | null> {
    const { node } = this;
    const queued = this.queue(vpn, node);
    if (queued === "queued") return null;
    const told = queued === "there" ? node : -ERRNO[queued];
    if (!putUser(this.request.status, at, 1, () => told)) {
      yield* this.flush(at);
      return "EFAULT";
    }
    const left = yield* this.flush(at);
    // The entry at hand has its status: it is not one of those left.
    if (left !== 0) return typeof left === "number" ? left - 1 : left;
    this.node = NO_NODE;
    return null;
  }

  /** Isolates one page for the batch. Linux: `add_page_for_migration()`. */
  private queue(vpn: number, node: number): "queued" | "there" | Errno {
    const { vm, request } = this;
    const { mem } = vm;
    const vma = this.owner.mm.vmaAt(vpn);
    if (vma === null || !vmaMigratable(vma)) return "EFAULT";
    const page = followPage(vm, vma, vpn);
    if (typeof page === "string") return page;
    const folio = pageFolio(mem, page);
    let outcome: "queued" | "there" | Errno = "queued";
    if (mem.nodeOf(page).id === node) outcome = "there";
    else if (pageMapcount(mem, page) > 1 && !request.moveAll) outcome = "EACCES";
    else if (folioTestHugetlb(mem, folio)) outcome = this.queueHugetlb(folio, page);
    else if (!folioIsolateLru(mem, folio)) outcome = "EBUSY";
    else {
      listAddTail(mem, this.queued, folio);
      mem.nodeOf(folio).isolatedPages[isolatedClass(mem, folio)] += folioNrPages(mem, folio);
    }
    folioPut(mem, folio);
    return outcome;
  }

  /** A huge page moves by its first address; by another it is none that may. */
  private queueHugetlb(folio: Folio, page: Pfn): "queued" | Errno {
    if (page !== (folio as Pfn)) return "EACCES";
    return folioIsolateHugetlb(this.vm, folio, this.queued) === "isolated" ? "queued" : "EBUSY";
  }

  /**
   * Moves the batch, which ends before entry `end`, and writes its statuses. Returns 0, the number
   * of pages left, or what went wrong. Linux: `move_pages_and_store_status()`.
   */
  private *flush(end: number): Blocking<number | Errno> {
    const { vm, request, node, queued, start } = this;
    if (listEmpty(vm.mem, queued)) return 0;
    const target = new NodeTarget(vm, node);
    const { error, notMoved } = yield* migratePages(
      vm,
      queued,
      target,
      "sync",
      "syscall_or_cpuset",
    );
    if (error !== null || notMoved > 0) {
      yield* putbackMovablePages(vm, queued);
      return error ?? notMoved + request.nrPages - end;
    }
    return putUser(request.status, start, end - start, () => node) ? 0 : "EFAULT";
  }

  /** Where an entry is to go, or why it cannot be sent there. */
  private nodeFor(at: number): number | Errno {
    const { pages, nodes } = this.request;
    if (at >= pages.mapped || at >= nodes.mapped) return "EFAULT";
    const node = nodes.values[at];
    if (node < 0 || node >= MAX_NUMNODES) return "ENODEV";
    if ((this.vm.mem.nodes[node]?.zones.length ?? 0) === 0) return "ENODEV";
    const { cpusetMems } = this.owner;
    return cpusetMems === null || cpusetMems.has(node) ? node : "EACCES";
  }
}

/** New folios from one node and no other. Linux: `alloc_migration_target()`, __GFP_THISNODE. */
class NodeTarget implements MigrationTarget {
  private readonly vm: Vm;
  private readonly node: number;

  constructor(vm: Vm, node: number) {
    this.vm = vm;
    this.node = node;
  }

  *getNew(src: Folio): Blocking<Folio | null> {
    yield "alloc-migration-target";
    const gfp = GFP_HIGHUSER_MOVABLE | GFP.thisNode;
    return yield* allocMigrationTarget(this.vm, src, { node: this.node, gfp });
  }
}
