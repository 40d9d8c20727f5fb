/**
 * move_pages(2): a process names pages and nodes, and learns what became of each.
 *
 * Entries are taken in order. Consecutive entries for one node are one batch, moved together; an
 * entry that cannot be queued (there already, not mapped, shared, busy) gets its status at once
 * and ends the batch. A bad node ends the call, but what is queued by then still moves. Where
 * folios of a batch stay, none of its statuses is written and the call returns how many pages are
 * left, those never looked at included.
 *
 * Linux: `do_pages_move()`, `do_pages_stat()`, mm/migrate.c, 6.1.
 */
import type { Errno } from "../base/errno.ts";
import { ERRNO } from "../base/errno.ts";
import { folioNrPages, pageFolio, pageMapcount } from "../memory/folio.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { GFP, GFP_HIGHUSER_MOVABLE } from "../memory/gfp.ts";
import { folioIsolateLru, lruCacheDisable, lruCacheEnable } from "../memory/lru.ts";
import { isolatedClass } from "../memory/lru-list.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import { listAddTail, listEmpty } from "../memory/page-list.ts";
import { allocMigrationTarget } from "../migrate/alloc-migration-target.ts";
import { migratePages } from "../migrate/migrate-pages.ts";
import type { MigrationTarget } from "../migrate/migrate-run.ts";
import { putbackMovablePages } from "../migrate/putback.ts";
import type { Blocking } from "../sched/blocking.ts";
import { followPage, vmaMigratable } from "../vm/follow-page.ts";
import type { Mm } from "../vm/mm.ts";
import type { Vm } from "../vm/vm.ts";

/** Flags of the call. Linux: MPOL_MF_*. */
export const MPOL_MF = { move: 0x2, moveAll: 0x4 } as const;

/** Node numbers that the kernel was built for. Linux: MAX_NUMNODES. */
const MAX_NUMNODES = 1024;

export interface MovePagesCall {
  /** The process whose pages they are; null if there is no such process. */
  readonly mm: Mm | null;
  /** Virtual page numbers. */
  readonly pages: readonly number[];
  /** By entry: where it is to go; null asks where each is. */
  readonly nodes: readonly number[] | null;
  /** MPOL_MF bits. */
  readonly flags: number;
  /** Whether the caller may move what others share. Linux: CAP_SYS_NICE. */
  readonly capSysNice: boolean;
  /** By entry: its node, or an errno negated. Entries that are not decided stay as they are. */
  readonly status: Int32Array;
}

/** `value` is 0 or the number of pages that were not moved; with an errno it is -1. */
export interface MovePagesResult {
  readonly value: number;
  readonly errno: Errno | null;
}

export function* movePages(vm: Vm, call: MovePagesCall): Blocking<MovePagesResult> {
  const { flags, nodes, capSysNice, mm } = call;
  if ((flags & ~(MPOL_MF.move | MPOL_MF.moveAll)) !== 0) return failed("EINVAL");
  if ((flags & MPOL_MF.moveAll) !== 0 && !capSysNice) return failed("EPERM");
  if (mm === null) return failed("ESRCH");
  if (nodes === null) {
    for (const [at, vpn] of call.pages.entries()) call.status[at] = nodeStatus(vm, mm, vpn);
    return { value: 0, errno: null };
  }
  lruCacheDisable(vm.mem);
  const run = new MovePagesRun(vm, mm, call, nodes);
  const result = yield* run.move();
  lruCacheEnable(vm.mem);
  return result;
}

function failed(errno: Errno): MovePagesResult {
  return { value: -1, errno };
}

/** Where a page is, for who only asks. */
function nodeStatus(vm: Vm, mm: Mm, vpn: number): number {
  const vma = mm.vmaAt(vpn);
  if (vma === null) return -ERRNO.EFAULT;
  const page = followPage(vm, vma, vpn);
  if (typeof page === "string") return -ERRNO[page];
  folioPut(vm.mem, pageFolio(vm.mem, page));
  return vm.mem.nodeOf(page).id;
}

const NO_NODE = -1;

/** One call that moves: the batch at hand, and how far it is. */
class MovePagesRun {
  private readonly vm: Vm;
  private readonly mm: Mm;
  private readonly call: MovePagesCall;
  private readonly nodes: readonly number[];
  private readonly queued: PageList;
  /** Node and first entry of the batch. */
  private node = NO_NODE;
  private start = 0;

  constructor(vm: Vm, mm: Mm, call: MovePagesCall, nodes: readonly number[]) {
    this.vm = vm;
    this.mm = mm;
    this.call = call;
    this.nodes = nodes;
    this.queued = vm.mem.takeList();
  }

  *move(): Blocking<MovePagesResult> {
    const result = yield* this.moveAll();
    this.vm.mem.releaseList(this.queued);
    return result;
  }

  private *moveAll(): Blocking<MovePagesResult> {
    const { pages, status } = this.call;
    for (const [at, vpn] of pages.entries()) {
      const node = this.nodes[at];
      if (!this.hasMemory(node)) {
        // The bad node is what the caller is told, whatever becomes of the batch.
        yield* this.flush(at);
        return failed("ENODEV");
      }
      if (this.node !== NO_NODE && this.node !== node) {
        const left = yield* this.flush(at);
        if (left !== 0) return resultOf(left);
        this.node = NO_NODE;
      }
      if (this.node === NO_NODE) {
        this.node = node;
        this.start = at;
      }
      yield "move-pages-next";
      const queued = this.queue(vpn, node);
      if (queued === "queued") continue;
      status[at] = queued === "there" ? node : -ERRNO[queued];
      const left = yield* this.flush(at);
      // The entry at hand has its status: it is not one of those left.
      if (left !== 0) return resultOf(left > 0 ? left - 1 : left);
      this.node = NO_NODE;
    }
    return resultOf(yield* this.flush(pages.length));
  }

  /** Isolates one page for the batch. Linux: `add_page_for_migration()`. */
  private queue(vpn: number, node: number): "queued" | "there" | Errno {
    const { vm, call } = this;
    const { mem } = vm;
    const vma = this.mm.vmaAt(vpn);
    if (vma === null || !vmaMigratable(vma)) return "EFAULT";
    const page = followPage(vm, vma, vpn);
    if (typeof page === "string") return page;
    const folio = pageFolio(mem, page);
    let outcome: "queued" | "there" | Errno = "queued";
    if (mem.nodeOf(page).id === node) outcome = "there";
    else if (pageMapcount(mem, page) > 1 && (call.flags & MPOL_MF.moveAll) === 0)
      outcome = "EACCES";
    else if (!folioIsolateLru(mem, folio)) outcome = "EBUSY";
    else {
      listAddTail(mem, this.queued, folio);
      mem.nodeOf(folio).isolatedPages[isolatedClass(mem, folio)] += folioNrPages(mem, folio);
    }
    folioPut(mem, folio);
    return outcome;
  }

  /**
   * Moves the batch, which ends before entry `end`. Returns 0, the number of pages left, or -1 for
   * no memory. Linux: `move_pages_and_store_status()`.
   */
  private *flush(end: number): Blocking<number> {
    const { vm, call, node, queued } = this;
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
      return error === null ? notMoved + call.pages.length - end : -1;
    }
    call.status.fill(node, this.start, end);
    return 0;
  }

  private hasMemory(node: number): boolean {
    if (node < 0 || node >= MAX_NUMNODES) return false;
    return (this.vm.mem.nodes[node]?.zones.length ?? 0) > 0;
  }
}

function resultOf(left: number): MovePagesResult {
  return left < 0 ? failed("ENOMEM") : { value: left, errno: null };
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
    return yield* allocMigrationTarget(this.vm.mem, src, { node: this.node, gfp });
  }
}
