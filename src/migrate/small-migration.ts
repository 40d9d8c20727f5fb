/**
 * What a caller of `migratePages` brings along, at its plainest: for tests and for scenarios.
 */
import { assert } from "../base/assert.ts";
import { folioNrPages, folioOrder } from "../memory/folio.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioIsolateLru } from "../memory/lru.ts";
import { isolatedClass } from "../memory/lru-list.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { listAddTail } from "../memory/page-list.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { MigrationTarget } from "./migrate-run.ts";

/** Isolates a folio, counts it and puts it last on `list`. False if it is not on the LRU. */
export function isolateForMigration(mem: Memory, folio: Folio, list: PageList): boolean {
  if (!folioIsolateLru(mem, folio)) return false;
  mem.nodeOf(folio).isolatedPages[isolatedClass(mem, folio)] += folioNrPages(mem, folio);
  listAddTail(mem, list, folio);
  return true;
}

/** New folios from the allocator, on one node, as many as `limit` allows; counted both ways. */
export class AllocTarget implements MigrationTarget {
  /** Every folio that was given, in order. */
  readonly given: Folio[] = [];
  /** How many were given back unused. */
  returned = 0;
  limit: number = Number.POSITIVE_INFINITY;
  protected readonly mem: Memory;
  private readonly node: number;

  constructor(mem: Memory, node = 0) {
    this.mem = mem;
    this.node = node;
  }

  *getNew(src: Folio): Blocking<Folio | null> {
    yield "target-get-new";
    if (this.given.length >= this.limit) return null;
    const order = folioOrder(this.mem, src);
    const dst = folioAlloc(this.mem, { ...movableRequest(this.node), order, onlyNode: true });
    if (dst !== null) this.given.push(dst);
    return dst;
  }

  putNew(dst: Folio): void {
    assert(this.mem.refcount[dst] > 0, "a folio came back that nobody holds:", dst);
    this.returned++;
    folioPut(this.mem, dst);
  }
}
