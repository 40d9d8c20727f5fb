import assert from "node:assert/strict";
import { test } from "node:test";
import { PROFILES } from "../base/profile.ts";
import { folioTestLarge } from "../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type {
  AddressSpaceOperations,
  MigrateMode,
  MigrateOutcome,
  WritepageOutcome,
} from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import { filemapMigrateFolio } from "./callbacks.ts";
import { Caller } from "./small-caller.ts";

/** A caller on a kernel that migrates in batches, with an owner of its own if given. */
function caller63(ops?: AddressSpaceOperations, pageCount = 64): Caller {
  const caller = new Caller(pageCount, ops);
  caller.vm.mem.profile = PROFILES["6.3"];
  return caller;
}

/** An owner that is busy the first times, and tells of each call. */
function busyOwner(
  times: number,
  seen: (src: Folio, mode: MigrateMode) => void = () => {},
): AddressSpaceOperations {
  let left = times;
  return {
    *migrateFolio(mem, mapping, dst, src, mode): Blocking<MigrateOutcome> {
      seen(src, mode);
      if (left-- > 0) return "EAGAIN";
      return yield* filemapMigrateFolio(mem, mapping, dst, src, mode);
    },
  };
}

test("every folio of a batch is locked and has its place before the first one moves", () => {
  const lockedThen: number[] = [];
  const caller = caller63(
    busyOwner(0, () => {
      const { mem } = caller.vm;
      lockedThen.push(folios.filter((folio) => (mem.flags[folio] & PG.locked) !== 0).length);
    }),
  );
  const folios = [0, 1, 2].map(() => caller.isolate());
  assert.deepEqual(caller.migrate("async"), { notMoved: 0, error: null, succeededPages: 3 });
  assert.deepEqual(lockedThen, [3, 2, 1]);
  assert.deepEqual(
    folios.map((_, at) => caller.mapping.folios.load(at)),
    caller.target.given,
  );
});

test("an owner that is busy is asked again with the same new folio", () => {
  const caller = caller63(busyOwner(4));
  caller.isolate();
  assert.deepEqual(caller.migrate("async"), { notMoved: 0, error: null, succeededPages: 1 });
  assert.deepEqual([caller.target.given.length, caller.target.returned], [1, 0]);
});

const TRIES: readonly [MigrateMode, MigrateMode[], number][] = [
  ["async", Array(10).fill("async"), 1],
  ["sync-light", [...Array(3).fill("async"), ...Array(7).fill("sync-light")], 2],
  ["sync", [...Array(3).fill("async"), ...Array(7).fill("sync")], 2],
];

for (const [mode, expected, targets] of TRIES) {
  test(`an owner that stays busy is asked ${expected.join(", ")}, and then left alone`, () => {
    const modes: MigrateMode[] = [];
    const caller = caller63(busyOwner(99, (_, asked) => modes.push(asked)));
    const src = caller.isolate();
    assert.deepEqual(caller.migrate(mode), { notMoved: 1, error: null, succeededPages: 0 });
    assert.deepEqual(modes, expected);
    assert.deepEqual([caller.target.given.length, caller.target.returned], [targets, targets]);
    assert.deepEqual(caller.left, [src]);
    assert.deepEqual(caller.counted, { pgmigrate_fail: 1 });
    assert.equal(caller.vm.mem.flags[src] & PG.locked, 0);
    assert.equal(caller.isolated, 1);
  });
}

test("a folio that is locked is passed over ten times, and never has a new folio for long", () => {
  const caller = caller63();
  const { mem } = caller.vm;
  const [locked] = [caller.isolate(), caller.isolate()];
  assert.ok(folioTrylock(mem, locked));
  assert.deepEqual(caller.migrate("async"), { notMoved: 1, error: null, succeededPages: 1 });
  assert.deepEqual([caller.target.given.length, caller.target.returned], [11, 10]);
  assert.equal(mem.events.refusals.counts.locked, 10);
  folioUnlock(mem, locked);
});

test("writeback is refused for good by the batch, and by the folio's own turn waited for", () => {
  for (const mode of ["async", "sync-light"] as const) {
    const caller = caller63();
    const { mem } = caller.vm;
    const src = caller.isolate();
    mem.flags[src] |= PG.writeback;
    assert.equal(caller.migrate(mode).notMoved, 1);
    // Asynchronous once; then, where the mode is another, once in that.
    assert.equal(caller.target.given.length, mode === "async" ? 1 : 2);
    mem.flags[src] &= ~PG.writeback;
  }
  const caller = caller63();
  const src = caller.isolate();
  caller.vm.mem.flags[src] |= PG.writeback;
  assert.throws(() => caller.migrate("sync"), { name: "WouldSleepError" });
});

test("a folio that is held for a moment moves in its own turn", () => {
  const caller = caller63();
  const { mem } = caller.vm;
  const held = caller.isolate();
  caller.isolate();
  folioGet(mem, held);
  const getNew = caller.target.getNew.bind(caller.target);
  caller.target.getNew = (src) => {
    // The batch took one for each; the third is for the held folio alone.
    if (caller.target.given.length === 2) folioPut(mem, held);
    return getNew(src);
  };
  assert.deepEqual(caller.migrate("sync"), { notMoved: 0, error: null, succeededPages: 2 });
  assert.deepEqual(caller.counted, { pgmigrate_success: 2 });
});

test("without a new folio those that are unmapped still move, and the call ends", () => {
  for (const mode of ["async", "sync"] as const) {
    const caller = caller63();
    const folios = [0, 1, 2, 3].map(() => caller.isolate());
    caller.target.limit = 2;
    assert.deepEqual(caller.migrate(mode), { notMoved: 1, error: "ENOMEM", succeededPages: 2 });
    assert.deepEqual(caller.left, folios.slice(2));
    assert.deepEqual(caller.counted, { pgmigrate_success: 2, pgmigrate_fail: 1 });
  }
});

test("a folio whose owner began to write it is left alone, mapped again, until the next call", () => {
  const caller = caller63({
    *writepage(mem, _mapping, folio): Blocking<WritepageOutcome> {
      yield "owner-writes";
      mem.flags[folio] |= PG.writeback;
      folioUnlock(mem, folio);
      return "started";
    },
  });
  const { mem } = caller.vm;
  const src = caller.isolate();
  mem.flags[src] |= PG.dirty;
  assert.deepEqual(caller.migrate("sync"), { notMoved: 1, error: null, succeededPages: 0 });
  assert.equal(mem.flags[src] & (PG.dirty | PG.locked), 0);
  mem.flags[src] &= ~PG.writeback;
  assert.equal(caller.migrate("sync").notMoved, 0);
});

test("a large folio without a block is split, and its pages get one asynchronous try", () => {
  const caller = caller63();
  const { mem } = caller.vm;
  const src = caller.isolate(2);
  const getNew = caller.target.getNew.bind(caller.target);
  caller.target.getNew = function* (folio): Blocking<Folio | null> {
    if (folioTestLarge(mem, folio)) return null;
    return yield* getNew(folio);
  };
  assert.deepEqual(caller.migrate("sync"), { notMoved: 0, error: null, succeededPages: 4 });
  assert.equal(caller.target.given.length, 4);
  assert.equal(mem.refcount[src], 0);
});
