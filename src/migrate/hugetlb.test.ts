/** The move of hugetlb folios, step by step, and what the pool has afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../events/events.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut, folioTryPin } from "../memory/folio-ref.ts";
import { GFP } from "../memory/gfp.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { listFirst, listIsEnd, listLength } from "../memory/page-list.ts";
import type { MigrateMode } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "../vm/fault.ts";
import { forkMm } from "../vm/fork.ts";
import { createHugetlbFile, type HugetlbFile } from "../vm/hugetlb/file.ts";
import { folioSubpool, HPG, testHugetlbBit } from "../vm/hugetlb/folio-state.ts";
import { type Hstate, HUGETLB_PAGES } from "../vm/hugetlb/hstate.ts";
import { folioIsolateHugetlb } from "../vm/hugetlb/isolate.ts";
import { setNrHugepages } from "../vm/hugetlb/pool-size.ts";
import {
  hugeFolioAt,
  hugetlbShape,
  mapHuge,
  mapHugeFile,
  smallPool,
  touchHuge,
} from "../vm/hugetlb/small-hugetlb.ts";
import type { Mm, Vma } from "../vm/mm.ts";
import { anonymousPage, smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { exitMm } from "../vm/zap.ts";
import { allocMigrationTarget } from "./alloc-migration-target.ts";
import { hugetlbfsMigrateFolio } from "./hugetlb.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import type { MigrationTarget } from "./migrate-run.ts";
import { putbackMovablePages } from "./putback.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

/** As the trace spells them. */
const TRACED: Readonly<Record<MigrateMode, string>> = {
  async: "MIGRATE_ASYNC",
  "sync-light": "MIGRATE_SYNC_LIGHT",
  sync: "MIGRATE_SYNC",
  "sync-no-copy": "0x3",
};

/** A process with two huge pages out of the first node's pool, to be moved to the second. */
class Scene {
  readonly vm: Vm = smallVm(hugetlbShape(2, 4));
  readonly hstate: Hstate;
  readonly file: HugetlbFile;
  readonly mm: Mm = this.vm.createMm("a process");
  readonly vma: Vma;
  readonly folio: Folio;
  readonly list: PageList;
  readonly trace: TraceLines = new TraceLines();
  /** Folios that were had for moving to. */
  readonly given: Folio[] = [];

  /** `counts` are the pools' sizes by node. */
  constructor(counts: readonly number[] = [2, 1], kind: "private" | "file" = "private") {
    const { vm } = this;
    this.hstate = smallPool(vm, counts);
    const ops = { migrateFolio: hugetlbfsMigrateFolio };
    this.file = createHugetlbFile(vm, this.hstate, "a file", ops, this.hstate.addSubpool(4));
    this.vma =
      kind === "private" ? mapHuge(vm, this.mm, 1) : mapHugeFile(vm, this.mm, this.file, 1);
    this.folio = touchHuge(vm, this.vma, 0, 42);
    this.list = this.mem.takeList();
    this.mem.events.trace = this.trace;
  }

  get mem(): Memory {
    return this.vm.mem;
  }

  isolate(folio: Folio = this.folio): string {
    return folioIsolateHugetlb(this.vm, folio, this.list);
  }

  migrate(mode: MigrateMode = "sync", target: MigrationTarget = this.target()): MigrateResult {
    const call = migratePages(this.vm, this.list, target, mode, "syscall_or_cpuset");
    return runToEnd(call);
  }

  /** Of the second node alone. */
  target(): MigrationTarget {
    const { vm, given } = this;
    return {
      *getNew(src: Folio): Blocking<Folio | null> {
        const dst = yield* allocMigrationTarget(vm, src, { node: 1, gfp: GFP.thisNode });
        if (dst !== null) given.push(dst);
        return dst;
      },
    };
  }

  putBack(): void {
    runToEnd(putbackMovablePages(this.vm, this.list));
  }

  /** By node: all, free and surplus. */
  get pool(): number[][] {
    const { nrHugePagesNode, freeHugePagesNode, surplusHugePagesNode } = this.hstate;
    return [0, 1].map((node) => [
      nrHugePagesNode[node],
      freeHugePagesNode[node],
      surplusHugePagesNode[node],
    ]);
  }

  get value(): unknown {
    return runToEnd(readUser(this.vm, this.mm, this.vma.startVpn, 0));
  }

  count(event: keyof typeof VM_EVENT): number {
    return this.mem.events.vmstat.counts[VM_EVENT[event]];
  }

  /** The only call so far has counted so many base pages, and told them; none of them is a THP. */
  assertTold(succeeded: number, failed: number, mode = "MIGRATE_SYNC"): void {
    const moves = Object.entries(this.mem.events.vmstat.snapshot()).filter(
      ([name, count]) => name.includes("migrat") && count > 0,
    );
    const counted = Object.entries({ pgmigrate_success: succeeded, pgmigrate_fail: failed });
    assert.deepEqual(
      moves,
      counted.filter(([, count]) => count > 0),
    );
    assert.equal(
      this.trace.lines.at(-1),
      `mm_migrate_pages: nr_succeeded=${succeeded} nr_failed=${failed} nr_thp_succeeded=0 ` +
        `nr_thp_failed=0 nr_thp_split=0 mode=${mode} reason=syscall_or_cpuset`,
    );
  }

  /** Isolates, finds that the move fails so, and that all is as it was once it is put back. */
  assertStays(tries: number, refusal: string, mode: MigrateMode = "sync"): void {
    const { mem, folio, vma, vm } = this;
    const { pool } = this;
    // What a process wrote by its entry is known once the entry has been away.
    const look = (): number[] => [
      mem.refcount[folio],
      mem.flags[folio] & ~PG.dirty,
      mem.mapping[folio + 1],
    ];
    const before = look();
    assert.equal(this.isolate(), "isolated");
    const { notMoved } = this.migrate(mode);
    assert.equal(notMoved, 1);
    this.assertTold(0, HUGETLB_PAGES, TRACED[mode]);
    assert.equal(this.given.length, tries);
    assert.equal(mem.events.refusals.standing.get(folio)?.name, refusal);
    assert.equal(listFirst(mem, this.list), folio);
    this.putBack();
    assert.deepEqual(look(), before);
    assert.ok(testHugetlbBit(mem, folio, HPG.migratable));
    assert.equal(hugeFolioAt(vm, vma, 0), folio);
    assert.deepEqual(this.pool, pool);
    assert.ok(vm.anonVmas.every((anonVma) => (anonVma?.refcount ?? 0) === 0));
  }
}

test("a private huge page moves to a free one of the pool, and its own is free instead", () => {
  for (const mode of ["async", "sync-light", "sync"] as const) {
    const scene = new Scene();
    const { mem, vm, vma, folio } = scene;
    scene.isolate();
    assert.deepEqual(scene.migrate(mode), { notMoved: 0, error: null, succeededPages: 512 });
    const [dst] = scene.given;
    assert.equal(hugeFolioAt(vm, vma, 0), dst);
    assert.equal(scene.value, 42);
    assert.deepEqual([mem.refcount[dst], mem.mapping[dst + 1], mem.refcount[folio]], [1, 1, 0]);
    assert.equal(mem.flags[dst], mem.flags[dst] | PG.anonExclusive | PG.uptodate | PG.dirty);
    assert.equal(mem.flags[folio], PG.head | PG.hugetlb);
    assert.ok(testHugetlbBit(mem, dst, HPG.migratable));
    assert.deepEqual(scene.pool, [
      [2, 2, 0],
      [1, 0, 0],
    ]);
    scene.assertTold(HUGETLB_PAGES, 0, TRACED[mode]);
    assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0]);
    runToEnd(exitMm(vm, scene.mm));
    assert.deepEqual(scene.pool[1], [1, 1, 0]);
  }
});

test("the trace tells one entry of order 9 each way", () => {
  const scene = new Scene();
  scene.isolate();
  scene.migrate();
  const names = scene.trace.lines.map((line) => line.replace(/(addr|pte)=\w+/g, "$1"));
  assert.deepEqual(names, [
    "mm_migrate_pages_start: mode=MIGRATE_SYNC reason=syscall_or_cpuset",
    "set_migration_pte: addr, pte order=9",
    "remove_migration_pte: addr, pte order=9",
    "mm_migrate_pages: nr_succeeded=512 nr_failed=0 nr_thp_succeeded=0 nr_thp_failed=0 " +
      "nr_thp_split=0 mode=MIGRATE_SYNC reason=syscall_or_cpuset",
  ]);
});

test("a file's huge page moves with its cache's one reference, its charge and all its mappings", () => {
  const scene = new Scene([2, 1], "file");
  const { mem, vm, folio, file, vma } = scene;
  const child = forkMm(vm, scene.mm, "child");
  assert.ok(child !== null);
  assert.equal(mem.refcount[folio], 3);
  scene.isolate();
  assert.equal(scene.migrate().notMoved, 0);
  const [dst] = scene.given;
  assert.deepEqual([mem.refcount[dst], mem.mapping[dst + 1]], [3, 2]);
  assert.equal(file.mapping.folios.load(0), dst);
  assert.equal(file.mapping.folios.load(HUGETLB_PAGES - 1), dst);
  assert.deepEqual([folioSubpool(mem, dst), folioSubpool(mem, folio)], [0, -1]);
  assert.equal(scene.hstate.subpools[0].usedHugePages, 1, "charged once as before");
  assert.equal(mem.mapping[folio], 0);
  assert.equal(runToEnd(readUser(vm, child, vma.startVpn, 0)), 42);
  assert.ok(!file.iMmapLock.held);
});

test("where the pool has none a temporary page takes the place, and the old is freed for good", () => {
  const scene = new Scene([2, 0]);
  const { mem } = scene;
  const free = mem.zones[0].freePages;
  scene.isolate();
  assert.equal(scene.migrate().notMoved, 0);
  assert.equal(scene.count("htlb_buddy_alloc_success"), 3);
  assert.deepEqual(scene.pool, [
    [1, 1, 0],
    [1, 0, 0],
  ]);
  assert.equal(mem.zones[0].freePages, free + HUGETLB_PAGES);
  assert.equal(mem.private[scene.given[0]], HPG.migratable);
});

test("a free page that somebody was promised is not moved to", () => {
  const scene = new Scene([1, 1]);
  mapHuge(scene.vm, scene.vm.createMm("another"), 1);
  scene.isolate();
  assert.equal(scene.migrate().notMoved, 0);
  assert.deepEqual(scene.pool, [
    [0, 0, 0],
    [2, 1, 0],
  ]);
});

test("a surplus page that moves to a temporary one is surplus on the other node", () => {
  const scene = new Scene([2, 0]);
  runToEnd(setNrHugepages(scene.hstate, 0, 0));
  assert.deepEqual(scene.pool[0], [1, 0, 1]);
  scene.isolate();
  assert.equal(scene.migrate().notMoved, 0);
  assert.deepEqual(scene.pool, [
    [0, 0, 0],
    [1, 0, 1],
  ]);
  runToEnd(exitMm(scene.vm, scene.mm));
  assert.deepEqual(scene.pool[1], [0, 0, 0]);
});

test("who cannot have migration entries of that size cannot move", () => {
  const scene = new Scene();
  scene.hstate.isMigratable = false;
  scene.isolate();
  assert.equal(scene.migrate().notMoved, 1);
  assert.equal(scene.given.length, 0);
  assert.equal(listLength(scene.mem, scene.list), 1);
  scene.assertTold(0, HUGETLB_PAGES);
  scene.putBack();
});

test("a folio that its owner freed goes to its pool, and none is asked for", () => {
  const scene = new Scene();
  scene.isolate();
  runToEnd(exitMm(scene.vm, scene.mm));
  assert.equal(scene.mem.refcount[scene.folio], 1);
  assert.deepEqual(scene.migrate(), { notMoved: 0, error: null, succeededPages: 512 });
  assert.equal(scene.given.length, 0);
  scene.assertTold(HUGETLB_PAGES, 0);
  assert.deepEqual(scene.pool[0], [2, 2, 0]);
});

test("no page to move to ends the call, what was to be tried again counted with it", () => {
  const scene = new Scene([3, 1]);
  const { mem, vm } = scene;
  const more = mapHuge(vm, scene.mm, 2);
  const busy = touchHuge(vm, more, 0, 1);
  const last = touchHuge(vm, more, 1, 2);
  // Both free and unpromised; of node 1 nothing is left in the end.
  while (folioAlloc(mem, { ...movableRequest(1), onlyNode: true }) !== null);
  folioTrylock(mem, busy);
  scene.isolate(busy);
  scene.isolate();
  scene.isolate(last);
  const { error, succeededPages } = scene.migrate();
  assert.deepEqual([error, succeededPages], ["ENOMEM", 512]);
  scene.assertTold(HUGETLB_PAGES, 2 * HUGETLB_PAGES);
  assert.equal(scene.count("htlb_buddy_alloc_fail"), 1);
  assert.equal(listLength(mem, scene.list), 2);
  assert.equal(mem.events.refusals.standing.get(last)?.name, "no_target");
  folioUnlock(mem, busy);
  scene.putBack();
});

test("a locked folio is tried ten times by a caller that must not wait for it", () => {
  for (const mode of ["async", "sync-light"] as const) {
    const scene = new Scene();
    folioTrylock(scene.mem, scene.folio);
    scene.assertStays(10, "locked", mode);
  }
});

test("a folio that its file has let go of, and that is still charged, is about to be freed", () => {
  const scene = new Scene([2, 1], "file");
  const { mem, vm, folio, file } = scene;
  runToEnd(exitMm(vm, scene.mm));
  scene.isolate();
  folioGet(mem, folio);
  file.mapping.folios.remove(0, HUGETLB_PAGES);
  mem.mapping[folio] = 0;
  folioPut(mem, folio);
  folioGet(mem, folio);
  assert.equal(scene.migrate().notMoved, 1);
  assert.equal(scene.given.length, 1);
  assert.equal(mem.events.refusals.standing.get(folio)?.name, "orphaned");
  scene.assertTold(0, HUGETLB_PAGES);
});

test("a new folio that somebody has locked is not waited for", () => {
  const scene = new Scene();
  const { mem, hstate } = scene;
  scene.isolate();
  let given = 0;
  const { notMoved } = scene.migrate("sync", {
    *getNew(): Blocking<Folio | null> {
      yield "target-get-new";
      given++;
      const dst = hstate.dequeueFrom(1);
      if (dst !== null) folioTrylock(mem, dst);
      return dst;
    },
    putNew(dst) {
      folioUnlock(mem, dst);
      folioPut(mem, dst);
    },
  });
  assert.deepEqual([notMoved, given], [1, 10]);
  scene.assertTold(0, HUGETLB_PAGES);
  assert.deepEqual(scene.pool[1], [1, 1, 0], "given back, and not taken for one in use");
  scene.putBack();
});

test("a file whose mappings are being changed keeps its folio", () => {
  const scene = new Scene([2, 1], "file");
  runToEnd(scene.file.iMmapLock.lock());
  scene.assertStays(10, "mapping_locked");
  scene.file.iMmapLock.unlock();
  scene.isolate();
  scene.given.length = 0;
  assert.equal(scene.migrate().notMoved, 0);
});

test("an exclusive folio that is pinned stays mapped", () => {
  const scene = new Scene();
  folioTryPin(scene.mem, scene.folio);
  scene.assertStays(10, "still_mapped");
  assert.equal(scene.value, 42);
});

test("a reference more than expected is seen at the swap, private or of a file", () => {
  for (const kind of ["private", "file"] as const) {
    const scene = new Scene([2, 1], kind);
    folioGet(scene.mem, scene.folio);
    scene.assertStays(10, "refcount");
    assert.equal(scene.value, 42);
  }
});

test("a temporary page that was not used goes to the allocator, not to the pool", () => {
  const scene = new Scene([2, 0]);
  const free = scene.mem.zones[1].freePages;
  folioGet(scene.mem, scene.folio);
  scene.assertStays(10, "refcount");
  assert.equal(scene.mem.zones[1].freePages, free);
});

test("the copy is left to the caller that has an engine for it", () => {
  const scene = new Scene([2, 1], "file");
  scene.isolate();
  assert.equal(scene.migrate("sync-no-copy").notMoved, 0);
  assert.equal(scene.value, 0);
});

test("what is free, in a fault, isolated or no head cannot be isolated", () => {
  const scene = new Scene();
  const { vm, mem, hstate, folio } = scene;
  const free = listFirst(mem, hstate.freeLists[0]) as Folio;
  assert.ok(!listIsEnd(hstate.freeLists[0], free));
  assert.equal(scene.isolate(free), "EBUSY");
  assert.equal(scene.isolate((folio + 1) as Folio), "EBUSY");
  assert.equal(scene.isolate(anonymousPage(vm, 1).folio), "EBUSY");
  const taken = hstate.dequeueFrom(1);
  assert.ok(taken !== null);
  assert.equal(scene.isolate(taken), "EBUSY", "its fault is not over");
  folioPut(mem, taken);
  assert.equal(scene.isolate(), "isolated");
  assert.deepEqual([mem.refcount[folio], scene.isolate()], [2, "EBUSY"]);
  scene.putBack();
  assert.equal(scene.isolate(), "isolated");
  scene.putBack();
});

test("huge pages and others share a list: huge pages move first, and each goes back to its own", () => {
  for (const fails of [false, true]) {
    const scene = new Scene();
    const { vm, mem, list } = scene;
    const anon = anonymousPage(vm, 7);
    assert.ok(isolateForMigration(mem, anon.folio, list));
    scene.isolate();
    const order: number[] = [];
    const huge = scene.target();
    const single = new AllocTarget(mem);
    if (fails) single.limit = 0;
    const { error } = scene.migrate("sync", {
      *getNew(src: Folio): Blocking<Folio | null> {
        order.push(src);
        return yield* src === scene.folio ? huge.getNew(src) : single.getNew(src);
      },
    });
    assert.deepEqual(order, [scene.folio, anon.folio]);
    assert.equal(error, fails ? "ENOMEM" : null);
    scene.putBack();
    assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0]);
    assert.equal(scene.value, 42);
  }
});
