/** Every rule of both doors' contracts is broken by an owner or a driver that it must catch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrainAll } from "../../memory/lru.ts";
import { clearFlag, type Folio, setFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAddTail } from "../../memory/page-list.ts";
import { filemapMigrateFolio } from "../../migrate/callbacks.ts";
import { folioMigrateMapping } from "../../migrate/folio-mapping.ts";
import { folioMigrateFlags } from "../../migrate/folio-state.ts";
import { isolateMovablePage } from "../../migrate/isolate-movable.ts";
import { migratePages } from "../../migrate/migrate-pages.ts";
import { clearPageMovable } from "../../migrate/movable-page.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import { SmallDriver } from "../../migrate/small-driver.ts";
import { AllocTarget, isolateForMigration } from "../../migrate/small-migration.ts";
import type {
  AddressSpace,
  AddressSpaceOperations,
  MigrateOutcome,
} from "../../pagecache/address-space.ts";
import { folioAttachPrivate } from "../../pagecache/buffers/folio-buffers.ts";
import { filemapDirtyFolio } from "../../pagecache/mark-dirty.ts";
import type { MovableOperations } from "../../pagecache/movable-operations.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import { cachedFolio, smallVm } from "../../vm/small-vm.ts";
import type { Vm } from "../../vm/vm.ts";
import { contractChecks } from "./contract-checks.ts";
import { ContractError } from "./contract-error.ts";
import { checkedMovableOperations } from "./driver-contract.ts";

const NOBODY_ELSE = { turn: 0 };

function checkedVm(): Vm {
  const vm = smallVm();
  vm.cache.ownerChecks = contractChecks(NOBODY_ELSE);
  return vm;
}

/** What an owner does behind a move that is right, or instead of one. */
type Mistake = (mem: Memory, mapping: AddressSpace, dst: Folio, src: Folio) => MigrateOutcome;

/** Each with what the broken contract says. */
const behindAMove: Readonly<Record<string, [Mistake, RegExp]>> = {
  "gives up the lock of src": [
    (mem, _mapping, _dst, src) => moved(folioUnlock(mem, src)),
    /after "moved": found src 1 with .*, expected with locked/,
  ],
  "gives up the lock of dst": [
    (mem, _mapping, dst) => moved(folioUnlock(mem, dst)),
    /found dst 2 with .*, expected with locked/,
  ],
  "does not enter dst": [
    (mem, mapping, dst, src) => moved(mapping.folios.replace(mem.index[src], dst, src, 1)),
    /found folio 1 at 0 of the file, expected dst 2/,
  ],
  "does not copy": [
    (mem, _mapping, dst) => moved(mem.frames.writeWord(dst, 0, 0)),
    /found 0 in word 0 of dst 2, expected 7, as in src 1/,
  ],
  "keeps the private state": [
    (mem, _mapping, _dst, src) => moved(setFlag(mem, src, PG.private)),
    /found src 1 with .*, expected without private/,
  ],
  "loses the dirt": [
    (mem, _mapping, dst) => moved(clearFlag(mem, dst, PG.dirty)),
    /found dst 2 with .*, expected with dirty/,
  ],
  "keeps a reference": [
    (mem, _mapping, _dst, src) => moved(folioGet(mem, src)),
    /found refcount 2 of src 1, expected 1/,
  ],
  "puts one of src that dst does not get": [
    (mem, _mapping, _dst, src) => moved(void mem.refcount[src]--),
    /found refcount 2 of dst 2, expected 3/,
  ],
  "takes one too many of dst": [
    (mem, _mapping, dst) => moved(folioGet(mem, dst)),
    /found refcount 3 of dst 2, expected 2/,
  ],
  "forgets where it was": [
    (mem, _mapping, dst) => moved(mem.index.fill(9, dst, dst + 1)),
    /found index 9 of dst 2, expected 0/,
  ],
};

const insteadOfAMove: Readonly<Record<string, [Mistake, RegExp]>> = {
  "says so and did nothing": [() => "moved", /found mapping 0 of dst 2, expected/],
  "refuses and has lost src": [
    (mem, _mapping, _dst, src) => refused(mem.mapping.fill(0, src, src + 1)),
    /after "EAGAIN": found mapping 0 of src 1/,
  ],
  "refuses and keeps a reference": [
    (mem, _mapping, _dst, src) => refused(folioGet(mem, src)),
    /found refcount 3 of src 1, expected 2/,
  ],
  "refuses and has changed flags": [
    (mem, _mapping, _dst, src) => refused(clearFlag(mem, src, PG.uptodate)),
    /found src 1 with locked, expected locked uptodate/,
  ],
  "refuses and has made dst its own": [
    (mem, _mapping, dst, src) => refused(mem.mapping.fill(mem.mapping[src], dst, dst + 1)),
    /found mapping 4 of dst 2, expected 0/,
  ],
};

function moved(_done: unknown): MigrateOutcome {
  return "moved";
}

function refused(_done: unknown): MigrateOutcome {
  return "EAGAIN";
}

/** Moves a dirty folio of a file whose owner is mistaken. */
function moveWith(migrateFolio: NonNullable<AddressSpaceOperations["migrateFolio"]>): void {
  const vm = checkedVm();
  const { mem } = vm;
  const traits = { sizeBytes: 4096, canWriteback: true };
  const ops = { migrateFolio, dirtyFolio: filemapDirtyFolio };
  const file = vm.cache.createMapping("a mistaken owner", ops, traits);
  const folio = cachedFolio(vm, file, 0, 7);
  runToEnd(filemapDirtyFolio(mem, file, folio));
  lruAddDrainAll(mem);
  const list = mem.takeList();
  assert.ok(isolateForMigration(mem, folio, list));
  runToEnd(migratePages(vm, list, new AllocTarget(mem), "sync", "syscall_or_cpuset"));
  runToEnd(putbackMovablePages(vm, list));
}

for (const [what, [mistake, says]] of Object.entries(behindAMove)) {
  test(`an owner that moves and ${what} is found`, () => {
    function* move(
      mem: Memory,
      mapping: AddressSpace | null,
      dst: Folio,
      src: Folio,
    ): Blocking<MigrateOutcome> {
      assert.ok(mapping !== null);
      const outcome = yield* filemapMigrateFolio(mem, mapping, dst, src, "sync");
      assert.equal(outcome, "moved");
      return mistake(mem, mapping, dst, src);
    }
    assert.throws(() => moveWith(move), isContractError(says));
  });
}

for (const [what, [mistake, says]] of Object.entries(insteadOfAMove)) {
  test(`an owner that ${what} is found`, () => {
    function* move(
      mem: Memory,
      mapping: AddressSpace | null,
      dst: Folio,
      src: Folio,
    ): Blocking<MigrateOutcome> {
      yield "a-mistake";
      assert.ok(mapping !== null);
      return mistake(mem, mapping, dst, src);
    }
    assert.throws(() => moveWith(move), isContractError(says));
  });
}

function isContractError(says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ContractError, String(error));
    assert.match(error.message, says);
    return true;
  };
}

test("an owner that does what it should is left alone, moving or refusing", () => {
  moveWith(filemapMigrateFolio);
  moveWith(function* (): Blocking<MigrateOutcome> {
    yield "refuses";
    return "EBUSY";
  });
  moveWith(function* (mem, mapping, dst, src): Blocking<MigrateOutcome> {
    const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
    if (outcome === "moved") mem.frames.copy(dst, src);
    if (outcome === "moved") folioMigrateFlags(mem, dst, src);
    return outcome;
  });
});

/** One call of one operation, on a folio that is locked and has private state unless it unlocks. */
interface Call {
  readonly ops: AddressSpaceOperations;
  readonly call: (mem: Memory, file: AddressSpace, folio: Folio) => void;
  readonly says: RegExp;
}

function* answer<T>(value: T): Steps<T> {
  yield "answers";
  return value;
}

function* unlocks<T>(mem: Memory, folio: Folio, value: T): Steps<T> {
  yield "unlocks";
  folioUnlock(mem, folio);
  return value;
}

const calls: Readonly<Record<string, Call>> = {
  "writepage that keeps the lock": {
    ops: { writepage: () => answer("started" as const) },
    call: (mem, file, folio) => run(file.ops.writepage?.(mem, file, folio, "none")),
    says: /writepage, after "started": found the folio 1 with .*, expected without locked/,
  },
  "writepage that gives it up to say that it cannot write": {
    ops: { writepage: (mem, _file, folio) => unlocks(mem, folio, "activate" as const) },
    call: (mem, file, folio) => run(file.ops.writepage?.(mem, file, folio, "none")),
    says: /writepage, after "activate": .*, expected with locked/,
  },
  "readFolio that fails and keeps the lock": {
    ops: { readFolio: () => answer("EIO" as const) },
    call: (mem, file, folio) => run(file.ops.readFolio?.(mem, file, folio)),
    says: /readFolio, after "EIO": .*, expected without locked/,
  },
  "launderFolio that gives up the lock": {
    ops: { launderFolio: (mem, _file, folio) => unlocks(mem, folio, "done" as const) },
    call: (mem, file, folio) => run(file.ops.launderFolio?.(mem, file, folio)),
    says: /launderFolio, after "done": .*, expected with locked/,
  },
  "releaseFolio that says it did and did not": {
    ops: { releaseFolio: () => answer(true) },
    call: (mem, file, folio) => run(file.ops.releaseFolio?.(mem, file, folio)),
    says: /releaseFolio, after "true": .*, expected without private/,
  },
  "invalidateFolio that gives up the lock": {
    ops: { invalidateFolio: (mem, _file, folio) => unlocks(mem, folio, undefined) },
    call: (mem, file, folio) => run(file.ops.invalidateFolio?.(mem, file, folio, 0, 4096)),
    says: /invalidateFolio, on return: .*, expected with locked/,
  },
  "a folio under writeback is invalidated": {
    ops: { invalidateFolio: () => answer(undefined) },
    call(mem, file, folio) {
      setFlag(mem, folio, PG.writeback);
      run(file.ops.invalidateFolio?.(mem, file, folio, 0, 4096));
    },
    says: /invalidateFolio, on entry: .*, expected without writeback/,
  },
  "freeFolio of a folio that is still in its file": {
    ops: { freeFolio() {} },
    call: (mem, file, folio) => file.ops.freeFolio?.(mem, folio),
    says: /freeFolio, on entry: found mapping 4 of the folio 1, expected 0/,
  },
  "pageMkwrite that says locked and is not": {
    ops: { pageMkwrite: (mem, _file, folio) => unlocks(mem, folio, "locked" as const) },
    call: (mem, file, folio) => run(file.ops.pageMkwrite?.(mem, file, folio)),
    says: /pageMkwrite, after "locked": .*, expected with locked/,
  },
  "writeBegin that gives a folio without its lock": {
    ops: { writeBegin: (mem) => unlocks(mem, 1 as Folio, 1 as Folio) },
    call: (mem, file) => run(file.ops.writeBegin?.(mem, file, 0, 4)),
    says: /writeBegin, on return: .*, expected with locked/,
  },
  "writeEnd that keeps the lock": {
    ops: { writeEnd: () => answer(undefined) },
    call: (mem, file, folio) => run(file.ops.writeEnd?.(mem, file, 0, 4, folio)),
    says: /writeEnd, on return: .*, expected without locked/,
  },
  "isPartiallyUptodate without the lock": {
    ops: { isPartiallyUptodate: () => true },
    call(mem, file, folio) {
      folioUnlock(mem, folio);
      file.ops.isPartiallyUptodate?.(mem, file, folio, 0, 4);
    },
    says: /isPartiallyUptodate, on entry: .*, expected with locked/,
  },
};

function run(call: Blocking<unknown> | undefined): void {
  if (call !== undefined) runToEnd(call);
}

for (const [what, { ops, call, says }] of Object.entries(calls)) {
  test(`${what} is found`, () => {
    const vm = checkedVm();
    const { mem } = vm;
    const file = vm.cache.createMapping("a mistaken owner", ops);
    const folio = cachedFolio(vm, file, 0, 7);
    assert.ok(folioTrylock(mem, folio));
    folioAttachPrivate(mem, folio, 1);
    assert.throws(() => call(mem, file, folio), isContractError(says));
  });
}

/** A driver that does right, then this. */
type DriverMistake = (mem: Memory, page: Folio, other: Folio) => void;

const drivers: Readonly<Record<string, [keyof MovableOperations, DriverMistake, RegExp]>> = {
  "unlocks what it lets be isolated": [
    "isolatePage",
    (mem, page) => folioUnlock(mem, page),
    /isolatePage, after "true": .*, expected with locked/,
  ],
  "marks the page as isolated itself": [
    "isolatePage",
    (mem, page) => setFlag(mem, page, PG.isolated),
    /isolatePage, after "true": .*, expected without isolated/,
  ],
  "puts its reference as it lets the page be isolated": [
    "isolatePage",
    (mem, page) => folioPut(mem, page),
    /found refcount 1 of the page 1, expected 2 at least/,
  ],
  "has no reference to the new page": [
    "migratePage",
    (mem, dst) => folioPut(mem, dst),
    /migratePage, after "moved": found refcount 1 of dst 2, expected 2/,
  ],
  "keeps its reference to the old page": [
    "migratePage",
    (mem, _dst, src) => folioGet(mem, src),
    /found refcount 2 of src 1, expected 1/,
  ],
  "does not own the new page": [
    "migratePage",
    (mem, dst) => mem.mapping.fill(0, dst, dst + 1),
    /found mapping 0 of dst 2/,
  ],
  "unlinks the old page": [
    "migratePage",
    (mem, _dst, src) => mem.next.fill(-1, src, src + 1),
    /found next -1 of src 1/,
  ],
  "ends the isolation": [
    "migratePage",
    (mem, _dst, src) => clearFlag(mem, src, PG.isolated),
    /migratePage, after "moved": .*, expected with/,
  ],
  "lets go of what is put back": [
    "putbackPage",
    (mem, page) => clearPageMovable(mem, page),
    /putbackPage, on return: found the page 1 that is not movable/,
  ],
};

/** The operations, one of them with a mistake behind it; what is to be put back is refused. */
function mistaken(
  ops: MovableOperations,
  operation: keyof MovableOperations,
  mistake: DriverMistake,
): MovableOperations {
  return {
    ...ops,
    *isolatePage(mem, page, mode): Steps<boolean> {
      const isTaken = yield* ops.isolatePage(mem, page, mode);
      if (operation === "isolatePage") mistake(mem, page, page);
      return isTaken;
    },
    *migratePage(mem, dst, src, mode): Blocking<MigrateOutcome> {
      if (operation === "putbackPage") return "EBUSY";
      const outcome = yield* ops.migratePage(mem, dst, src, mode);
      if (operation === "migratePage") mistake(mem, dst, src);
      return outcome;
    },
    *putbackPage(mem, page): Steps<void> {
      yield* ops.putbackPage(mem, page);
      if (operation === "putbackPage") mistake(mem, page, page);
    },
  };
}

/** Isolates and moves the page of a driver, or has it put back. */
function moveDriversPage(operation: keyof MovableOperations, mistake: DriverMistake): number {
  const vm = smallVm();
  const { mem, cache } = vm;
  cache.ownerChecks = {
    ofOwner: (_name, ops) => ops,
    ofDriver: (ops) => checkedMovableOperations(mistaken(ops, operation, mistake), NOBODY_ELSE),
  };
  const driver = new SmallDriver(cache);
  const handle = driver.add(7);
  const page = driver.pageOf(handle);
  const list = mem.takeList();
  assert.equal(runToEnd(isolateMovablePage(cache, page, 0)), "isolated");
  listAddTail(mem, list, page);
  runToEnd(migratePages(vm, list, new AllocTarget(mem), "sync", "syscall_or_cpuset"));
  runToEnd(putbackMovablePages(vm, list));
  return driver.read(handle);
}

for (const [what, [operation, mistake, says]] of Object.entries(drivers)) {
  test(`a driver that ${what} is found`, () => {
    assert.throws(() => moveDriversPage(operation, mistake), isContractError(says));
  });
}

test("a driver that does what it should is left alone, moved or put back", () => {
  assert.equal(
    moveDriversPage("migratePage", () => {}),
    7,
  );
  assert.equal(
    moveDriversPage("putbackPage", () => {}),
    7,
  );
});
