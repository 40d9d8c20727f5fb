/** One folio through both halves of a move: what each leaves behind when it fails, and when not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioMapped } from "../memory/folio.ts";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioGet, folioTryPin } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { MigrateFolio, MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "../vm/fault.ts";
import { VM } from "../vm/mm.ts";
import { PTE, PTE_MIGRATION } from "../vm/pte.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  smallVm,
  type UserPage,
} from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { filemapMigrateFolio, migrateFolio } from "./callbacks.ts";
import { migratePages } from "./migrate-pages.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

const MODES: readonly MigrateMode[] = ["async", "sync-light", "sync", "sync-no-copy"];

/** One attempt to move one folio. */
interface Attempt {
  readonly list: PageList;
  readonly target: AllocTarget;
  readonly notMoved: number;
}

function move(vm: Vm, folio: Folio, mode: MigrateMode = "sync"): Attempt {
  const { mem } = vm;
  const list = mem.takeList();
  const target = new AllocTarget(mem);
  assert.ok(isolateForMigration(mem, folio, list), "the folio is on the LRU");
  const { notMoved } = runToEnd(migratePages(vm, list, target, mode, "syscall_or_cpuset"));
  return { list, target, notMoved };
}

function bitsOf(vm: Vm, { entry }: UserPage): number {
  return vm.tables.bits(entry);
}

/** What a failed attempt must leave: the folio isolated, unlocked, mapped as before. */
function assertRestored(vm: Vm, page: UserPage, before: number, references: number): void {
  const { mem } = vm;
  const { folio } = page;
  assert.equal(bitsOf(vm, page), before);
  assert.equal(vm.tables.pfn(page.entry), folio);
  assert.equal(mem.mapcount[folio], 1);
  assert.equal(mem.refcount[folio], references);
  assert.equal(mem.flags[folio] & (PG.locked | PG.lru), 0);
  assert.ok(vm.anonVmas.every((anonVma) => (anonVma?.refcount ?? 0) === 0));
}

test("a mapped anonymous page moves with its contents, its entry and its reference", () => {
  for (const mode of MODES) {
    const vm = smallVm();
    const { mem } = vm;
    const page = anonymousPage(vm, 42);
    const before = bitsOf(vm, page);
    const { target, notMoved } = move(vm, page.folio, mode);
    const [dst] = target.given;
    assert.equal(notMoved, 0);
    assert.equal(vm.tables.pfn(page.entry), dst);
    assert.equal(bitsOf(vm, page), before);
    assert.deepEqual([mem.mapcount[dst], mem.refcount[dst]], [1, 1], "its entry's reference alone");
    assert.equal(mem.refcount[page.folio], 0);
    assert.ok((mem.flags[dst] & PG.lru) !== 0, "on the LRU, not in a batch");
    assert.equal(mem.flags[dst] & PG.locked, 0);
    assert.ok((mem.flags[dst] & PG.anonExclusive) !== 0);
    const value = runToEnd(readUser(vm, page.mm, page.vpn, 0));
    assert.equal(value === 42, mode !== "sync-no-copy", "the bytes are the caller's then");
    assert.ok(vm.anonVmas.every((anonVma) => (anonVma?.refcount ?? 0) === 0));
  }
});

test("a folio that nobody maps goes to the LRU by way of the batch", () => {
  const vm = smallVm();
  const { mem } = vm;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const { target } = move(vm, cachedFolio(vm, mapping, 0, 1));
  const [dst] = target.given;
  assert.equal(mem.flags[dst] & PG.lru, 0);
  assert.equal(mem.refcount[dst], 2, "the cache's and the batch's");
  lruAddDrain(mem);
  assert.equal(mem.refcount[dst], 1);
});

test("an exclusive pinned page is left where it is, entry and all", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 42);
  const before = bitsOf(vm, page);
  folioTryPin(vm.mem, page.folio);
  const { target, notMoved } = move(vm, page.folio);
  assert.equal(notMoved, 1);
  assertRestored(vm, page, before, 1 + 1024 + 1);
  assert.equal(target.returned, 10);
  assert.ok((vm.mem.flags[page.folio] & PG.anonExclusive) !== 0);
  const { standing, counts } = vm.mem.events.refusals;
  assert.equal(standing.get(page.folio)?.name, "still_mapped");
  assert.equal(counts.still_mapped, 10);
});

test("where one of two entries cannot go, the other comes back", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 42);
  const other = sharePage(vm, page);
  other.vma.flags |= VM.incompleteStack;
  const before = [bitsOf(vm, page), bitsOf(vm, other)];
  const { notMoved } = move(vm, page.folio);
  assert.equal(notMoved, 1);
  assert.deepEqual([bitsOf(vm, page), bitsOf(vm, other)], before);
  assert.deepEqual([vm.mem.mapcount[page.folio], vm.mem.refcount[page.folio]], [2, 3]);
});

test("an extra reference is found after the unmapping, and the page is mapped again", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 42);
  const before = bitsOf(vm, page);
  folioGet(vm.mem, page.folio);
  const { notMoved } = move(vm, page.folio);
  assert.equal(notMoved, 1);
  assertRestored(vm, page, before, 3);
  const refusal = { name: "refcount", found: 2, expected: 1 };
  assert.deepEqual(vm.mem.events.refusals.standing.get(page.folio), refusal);
});

test("each error of an owner has the page mapped again and its tries", () => {
  for (const [outcome, tries] of [
    ["EAGAIN", 10],
    ["EBUSY", 1],
    ["EINVAL", 1],
    ["EIO", 1],
  ] as const) {
    const vm = smallVm();
    const { mem } = vm;
    let calls = 0;
    const refuses: MigrateFolio = function* (): Blocking<MigrateOutcome> {
      calls++;
      yield "owner-refuses";
      return outcome;
    };
    const mapping = vm.cache.createMapping("a file", { migrateFolio: refuses });
    const folio = cachedFolio(vm, mapping, 0, 1);
    const page = mapFilePage(vm, mapping, folio);
    const before = bitsOf(vm, page);
    const { target, notMoved } = move(vm, folio);
    assert.deepEqual([notMoved, calls, target.returned], [1, tries, tries], outcome);
    assertRestored(vm, page, before, 3);
    assert.equal(mapping.folios.load(0), folio);
    assert.equal(mem.events.vmstat.snapshot().pgmigrate_fail, 1);
  }
});

test("an owner gets two locked folios: the source unmapped and off the LRU, the new one clean", () => {
  for (const mode of MODES) {
    const vm = smallVm();
    const { mem } = vm;
    let calls = 0;
    const looks: MigrateFolio = function* (
      _mem,
      mapping,
      dst,
      src,
      given,
    ): Blocking<MigrateOutcome> {
      yield "owner-looks";
      calls++;
      assert.deepEqual([mapping?.name, given], ["a file", mode]);
      assert.equal(folioMapped(mem, src), false);
      assert.ok((bitsOf(vm, page) & PTE_MIGRATION) !== 0);
      assert.equal(mem.flags[src] & (PG.locked | PG.lru | PG.writeback), PG.locked);
      assert.equal(mem.flags[dst], PG.locked);
      assert.deepEqual([mem.private[dst], mem.mapping[dst], mem.refcount[dst]], [0, 0, 1]);
      return yield* filemapMigrateFolio(mem, mapping, dst, src, given);
    };
    const mapping = vm.cache.createMapping("a file", { migrateFolio: looks });
    const page = mapFilePage(vm, mapping, cachedFolio(vm, mapping, 0, 1));
    assert.equal(move(vm, page.folio, mode).notMoved, 0);
    assert.equal(calls, 1);
  }
});

test("a file's source has no mapping when it is freed, and its dirt is the new folio's", () => {
  const vm = smallVm();
  const { mem } = vm;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const page = mapFilePage(vm, mapping, cachedFolio(vm, mapping, 0, 7));
  vm.tables.set(page.entry, page.folio, bitsOf(vm, page) | PTE.dirty);
  const { target } = move(vm, page.folio);
  const [dst] = target.given;
  assert.equal(mem.mapping[page.folio], 0);
  assert.ok((mem.flags[dst] & PG.dirty) !== 0);
  assert.ok((bitsOf(vm, page) & PTE.dirty) !== 0);
  assert.equal(mapping.folios.load(0), dst);
  assert.equal(mem.frames.readWord(dst, 0), 7);
});

test("an owner without migrateFolio is asked to release the folio", () => {
  for (const [flags, outcome] of [
    [0, 0],
    [PG.dirty, 1],
  ]) {
    const vm = smallVm();
    const mapping = vm.cache.createMapping("a file", {});
    const folio = cachedFolio(vm, mapping, 0, 1);
    vm.mem.flags[folio] |= flags;
    assert.equal(move(vm, folio, "async").notMoved, outcome);
  }
});

test("a truncated folio with private state left is given up as busy", () => {
  const vm = smallVm();
  const { mem } = vm;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const folio = cachedFolio(vm, mapping, 0, 1);
  mapping.folios.remove(0, 1);
  mem.mapping[folio] = 0;
  mem.flags[folio] |= PG.private;
  const { target, notMoved } = move(vm, folio);
  assert.deepEqual([notMoved, target.returned], [1, 10]);
  assert.equal(mem.events.refusals.standing.get(folio)?.name, "orphaned");
  assert.equal(mem.flags[folio] & PG.locked, 0);
});

test("a mapped anonymous page always finds who may map it", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 42);
  // Its owner's id is of an anon_vma that was never made.
  vm.mem.mapping[page.folio] += 1 << 8;
  assert.throws(() => move(vm, page.folio), /anon_vma/);
});

test("a new folio that somebody has locked is not waited for, in no mode", () => {
  for (const mode of MODES) {
    const vm = smallVm();
    const page = anonymousPage(vm, 42);
    const before = bitsOf(vm, page);
    const list = vm.mem.takeList();
    const target = new AllocTarget(vm.mem);
    const getNew = target.getNew.bind(target);
    target.getNew = function* (src): Blocking<Folio | null> {
      const dst = yield* getNew(src);
      if (dst !== null) folioTrylock(vm.mem, dst);
      return dst;
    };
    target.putNew = (dst) => {
      vm.mem.flags[dst] &= ~PG.locked;
      target.returned++;
      vm.mem.refcount[dst] = 1;
    };
    isolateForMigration(vm.mem, page.folio, list);
    const { notMoved } = runToEnd(migratePages(vm, list, target, mode, "compaction"));
    assert.deepEqual([notMoved, target.returned], [1, 10]);
    assertRestored(vm, page, before, 2);
    assert.equal(vm.mem.events.refusals.standing.get(page.folio)?.name, "dst_locked");
  }
});

test("writeback ends an asynchronous and a sync-light move for good, and a sync one for now", () => {
  for (const [mode, tries] of [
    ["async", 1],
    ["sync-light", 1],
  ] as const) {
    const vm = smallVm();
    const mapping = vm.cache.createMapping("a file", { migrateFolio });
    const folio = cachedFolio(vm, mapping, 0, 1);
    vm.mem.flags[folio] |= PG.writeback;
    const { target, notMoved } = move(vm, folio, mode);
    assert.deepEqual([notMoved, target.returned], [1, tries], mode);
    assert.equal(vm.mem.events.refusals.standing.get(folio)?.name, "writeback");
    assert.equal(vm.mem.flags[folio] & PG.locked, 0);
  }
  for (const mode of ["sync", "sync-no-copy"] as const) {
    const vm = smallVm();
    const mapping = vm.cache.createMapping("a file", { migrateFolio });
    const folio = cachedFolio(vm, mapping, 0, 1);
    vm.mem.flags[folio] |= PG.writeback;
    assert.throws(() => move(vm, folio, mode), /would sleep on: folio/, mode);
    assert.equal(vm.mem.events.refusals.counts.writeback, 4, "three tries, and then it waits");
  }
});

test("a locked source is tried ten times by an asynchronous move, and never waited for", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const folio = cachedFolio(vm, mapping, 0, 1);
  folioTrylock(vm.mem, folio);
  const { target, notMoved } = move(vm, folio, "async");
  assert.deepEqual([notMoved, target.returned], [1, 10]);
  assert.equal(vm.mem.events.refusals.standing.get(folio)?.name, "locked");
  for (const mode of ["sync-light", "sync", "sync-no-copy"] as const) {
    const other = cachedFolio(vm, mapping, 8 + MODES.indexOf(mode), 1);
    folioTrylock(vm.mem, other);
    assert.throws(() => move(vm, other, mode), /would sleep on: folio/, mode);
  }
});

test("an owner that sleeps in an asynchronous move is named", () => {
  const vm = smallVm();
  const { mem } = vm;
  const sleeps: MigrateFolio = function* (_mem, _mapping, _dst, src): Blocking<MigrateOutcome> {
    yield mem.nodes[0].throttled;
    assert.ok(src > 0);
    return "moved";
  };
  const mapping = vm.cache.createMapping("sleepyfs", { migrateFolio: sleeps });
  const folio = cachedFolio(vm, mapping, 0, 1);
  assert.throws(() => move(vm, folio, "async"), {
    name: "SleptError",
    message: /^sleepyfs must not sleep here and would on: too many isolated pages/,
  });
});

test("an mlocked page is unevictable again where it lies afterwards", () => {
  const vm = smallVm();
  const { mem } = vm;
  const page = anonymousPage(vm, 1, VM.read | VM.write | VM.locked);
  const { target } = move(vm, page.folio);
  const [dst] = target.given;
  const wanted = PG.mlocked | PG.unevictable | PG.lru;
  assert.equal(mem.flags[dst] & wanted, wanted);
  assert.equal(mem.nodes[0].mlockedPages, 1);
  assert.deepEqual([...mem.nodes[0].lruPages], [0, 0, 0, 0, 1]);
  assert.equal(mem.refcount[dst], 1);
});
