import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type {
  AddressSpace,
  AddressSpaceOperations,
  MigrateFolio,
  MigrateMode,
} from "../pagecache/address-space.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import type { Steps } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { Vm } from "../vm/vm.ts";
import { fallbackMigrateFolio, filemapMigrateFolio, migrateFolio } from "./callbacks.ts";

const MODES: readonly MigrateMode[] = ["async", "sync-light", "sync", "sync-no-copy"];

/** A file's folio with contents 11 and an empty new one, both locked, the source isolated. */
interface Move {
  readonly vm: Vm;
  readonly mem: Memory;
  readonly mapping: AddressSpace;
  readonly src: Folio;
  readonly dst: Folio;
}

function newMove(ops: AddressSpaceOperations = {}): Move {
  const mem = smallMemory({ pageCount: 64 });
  const vm = new Vm(mem);
  const mapping = vm.cache.createMapping("a file", ops);
  const [src, dst] = [0, 1].map(() => folioAlloc(mem, movableRequest(0)));
  assert.ok(src !== null && dst !== null, "the memory has room");
  for (const folio of [src, dst]) folioTrylock(mem, folio);
  mem.frames.fill(src, 11);
  mem.flags[src] |= PG.uptodate;
  filemapAddFolio(mem, mapping, src, 0);
  return { vm, mem, mapping, src, dst };
}

/** What an owner attaches: a word, the flag and a reference. */
function attachPrivate({ mem, src }: Move): void {
  mem.private[src] = 99;
  mem.flags[src] |= PG.private;
  mem.refcount[src]++;
}

function run({ mem, mapping, src, dst }: Move, callback: MigrateFolio, mode: MigrateMode): string {
  return runToEnd(callback(mem, mapping, dst, src, mode));
}

function fallBack({ vm, mapping, src, dst }: Move, mode: MigrateMode): string {
  return runToEnd(fallbackMigrateFolio(vm, mapping, dst, src, mode));
}

/** The source must be as it was: in its file, with its references and its state. */
function assertUntouched(move: Move, references: number): void {
  const { mem, mapping, src, dst } = move;
  assert.equal(mapping.folios.load(0), src);
  assert.equal(mem.refcount[src], references);
  assert.deepEqual([mem.flags[dst], mem.mapping[dst], mem.private[dst]], [PG.locked, 0, 0]);
  assert.equal(mem.refcount[dst], 1);
}

for (const callback of [migrateFolio, filemapMigrateFolio]) {
  test(`${callback.name} moves a plain folio in every mode, bytes only where it should copy`, () => {
    for (const mode of MODES) {
      const move = newMove();
      const { mem, mapping, src, dst } = move;
      assert.equal(run(move, callback, mode), "moved");
      assert.equal(mapping.folios.load(0), dst);
      assert.ok((mem.flags[dst] & PG.uptodate) !== 0, "the state goes along in any case");
      assert.equal(mem.frames.holds(dst, 11), mode !== "sync-no-copy", mode);
      assert.deepEqual([mem.refcount[src], mem.refcount[dst]], [1, 2]);
    }
  });

  test(`${callback.name} gives up with EAGAIN alone, before anything has changed`, () => {
    for (const mode of MODES) {
      const move = newMove();
      move.mem.refcount[move.src]++;
      assert.equal(run(move, callback, mode), "EAGAIN");
      assertUntouched(move, 3);
      assert.equal(move.mem.frames.holds(move.dst, 11), false);
    }
  });
}

test("a folio under writeback must never come to migrateFolio", () => {
  const move = newMove();
  move.mem.flags[move.src] |= PG.writeback;
  assert.throws(() => run(move, migrateFolio, "sync"), /migration of a folio under writeback/);
});

test("filemapMigrateFolio takes the private word along, with its flag and its reference", () => {
  for (const mode of MODES) {
    const move = newMove();
    const { mem, src, dst } = move;
    attachPrivate(move);
    assert.equal(run(move, filemapMigrateFolio, mode), "moved");
    assert.equal(mem.private[dst], 99);
    assert.ok((mem.flags[dst] & PG.private) !== 0);
    assert.equal(mem.refcount[dst], 3, "its allocation, the cache, the private state");
    assert.equal(mem.private[src], 0);
    assert.equal(mem.flags[src] & PG.private, 0);
    assert.equal(mem.refcount[src], 1);
  }
});

test("migrateFolio leaves the private reference behind: an owner with private state is not its own", () => {
  const move = newMove();
  attachPrivate(move);
  assert.equal(run(move, migrateFolio, "sync"), "moved");
  assert.equal(move.mem.refcount[move.src], 2);
});

test("without migrateFolio and without writepage a dirty folio stays", () => {
  for (const [mode, outcome] of [
    ["async", "EBUSY"],
    ["sync-light", "EBUSY"],
    ["sync", "EINVAL"],
    ["sync-no-copy", "EINVAL"],
  ] as const) {
    const move = newMove();
    move.mem.flags[move.src] |= PG.dirty;
    assert.equal(fallBack(move, mode), outcome, mode);
    assertUntouched(move, 2);
    assert.equal(move.mem.events.refusals.counts.private_dirty, 1);
  }
});

function* keepPrivate(): Steps<boolean> {
  yield "keeping";
  return false;
}

test("without migrateFolio an owner that keeps its private state keeps the folio", () => {
  for (const [mode, outcome] of [
    ["async", "EBUSY"],
    ["sync-light", "EBUSY"],
    ["sync", "EAGAIN"],
    ["sync-no-copy", "EBUSY"],
  ] as const) {
    const move = newMove({ releaseFolio: keepPrivate });
    attachPrivate(move);
    assert.equal(fallBack(move, mode), outcome, mode);
    assertUntouched(move, 3);
    assert.equal(move.mem.private[move.src], 99);
    assert.equal(move.mem.events.refusals.counts.private_busy, 1);
  }
});

test("without migrateFolio an owner that gives its private state up has the folio moved", () => {
  for (const mode of MODES) {
    const move = newMove({
      *releaseFolio(mem, _mapping, folio): Steps<boolean> {
        yield "releasing";
        mem.flags[folio] &= ~PG.private;
        mem.private[folio] = 0;
        folioPut(mem, folio);
        return true;
      },
    });
    attachPrivate(move);
    assert.equal(fallBack(move, mode), "moved", mode);
    assert.equal(move.mapping.folios.load(0), move.dst);
    assert.equal(move.mem.flags[move.dst] & PG.private, 0);
    assert.equal(move.mem.refcount[move.src], 1);
  }
});

test("without migrateFolio a clean folio without private state moves as any", () => {
  for (const mode of MODES) {
    const move = newMove();
    assert.equal(fallBack(move, mode), "moved", mode);
    assert.equal(move.mapping.folios.load(0), move.dst);
  }
});
