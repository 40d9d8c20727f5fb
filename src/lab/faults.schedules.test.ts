/** Each fault and each disturbance finds a mistake that nothing shows without it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machine } from "../machine/machine.ts";
import { folioLock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { freeFolio } from "../memory/page-free.ts";
import { folioExpectedRefs, folioMigrateMapping } from "../migrate/folio-mapping.ts";
import { folioMigrateCopy } from "../migrate/folio-state.ts";
import type { AddressSpace, MigrateOutcome } from "../pagecache/address-space.ts";
import type { BlockResult } from "../pagecache/device/block-device.ts";
import type { Blocking } from "../sched/blocking.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { anonymousPage, cachedFolio, mapFilePage } from "../vm/small-vm.ts";
import { pins, reclaims, speculates, truncates, wakesEarly } from "./disturbances.ts";
import { exploreScenario } from "./explore-scenario.ts";
import { moveFolioOnce } from "./move-folio.ts";
import { replayScenario } from "./replay-scenario.ts";
import { type Scenario, scenario } from "./scenario.ts";

const FOLIO = 5 as Folio;

const forgetsToUnlock = scenario("who finds no memory unlocks", function* (lab): Blocking<void> {
  const { mem } = lab.machine();
  lab.faults(lab.machines[0], { allocation: true });
  function* work(): Blocking<void> {
    yield* folioLock(mem, FOLIO);
    const folio = folioAlloc(mem, movableRequest(0));
    if (folio === null) return;
    folioPut(mem, folio);
    folioUnlock(mem, FOLIO);
  }
  lab.task("first", work());
  lab.task("second", work());
  yield* lab.run();
});

const trustsTheDevice = scenario("a read that failed unlocks", function* (lab): Blocking<void> {
  const machine = lab.machine();
  const { mem } = machine;
  const device = lab.device(machine, { errors: true });
  function* read(): Blocking<void> {
    yield* folioLock(mem, FOLIO);
    const done = (result: BlockResult): void => {
      if (result === "done") folioUnlock(mem, FOLIO);
    };
    device.submit({ kind: "read", block: 0, sizeBytes: 4096, folio: FOLIO, offsetBytes: 0, done });
    yield* folioLock(mem, FOLIO);
    folioUnlock(mem, FOLIO);
  }
  lab.task("reader", read());
  yield* lab.run();
});

const trustsTheOrder = scenario("the last write wins", function* (lab): Blocking<void> {
  const machine = lab.machine();
  const { mem } = machine;
  const device = lab.device(machine, { reorders: true });
  const ended = new WaitQueue("the end of a write");
  function* write(): Blocking<void> {
    const folios: Folio[] = [];
    for (const value of [1, 2]) {
      const folio = folioAlloc(mem, movableRequest(0)) as Folio;
      folios.push(folio);
      mem.frames.writeWord(folio, 0, value);
      device.submit({
        kind: "write",
        block: 0,
        sizeBytes: 4096,
        folio,
        offsetBytes: 0,
        done: () => ended.wakeAll(),
      });
      yield "submitted";
    }
    while (device.inFlight > 0) yield ended;
    for (const folio of folios) folioPut(mem, folio);
  }
  lab.task("writer", write());
  yield* lab.run();
  lab.check(device.storage.readWord(0) === 2, "the device has the older bytes");
});

/** Takes every reference that it finds for one that may be there. */
function* countsWhatIsThere(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
): Blocking<MigrateOutcome> {
  const extra = mem.refcount[src] - folioExpectedRefs(mem, mapping, src);
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, extra);
  if (outcome === "moved") folioMigrateCopy(mem, dst, src);
  return outcome;
}

const movesWhatIsPinned = scenario("a pinned page stays", function* (lab): Blocking<void> {
  const machine = lab.machine();
  const { vm } = machine;
  const file = vm.cache.createMapping("a file", { migrateFolio: countsWhatIsThere });
  const folio = cachedFolio(vm, file, 0, 7);
  const page = mapFilePage(vm, file, folio);
  lab.task("mover", mover(machine, folio));
  lab.disturb("a pin appears", pins(machine, page));
  yield* lab.run();
});

function* mover(machine: Machine, folio: Folio): Blocking<void> {
  yield* moveFolioOnce(machine, folio);
}

const freesByCount = scenario("the last reference frees", function* (lab): Blocking<void> {
  const { mem } = lab.machine();
  const folio = folioAlloc(mem, movableRequest(0)) as Folio;
  function* free(): Blocking<void> {
    if (mem.refcount[folio] !== 1) return folioPut(mem, folio);
    yield "counted";
    mem.refcount[folio] = 0;
    freeFolio(mem, folio);
  }
  lab.task("owner", free());
  lab.disturb("somebody looks", speculates(lab.machines[0], folio));
  yield* lab.run();
});

const trustsTheFile = scenario("a folio stays in its file", function* (lab): Blocking<void> {
  const machine = lab.machine();
  const { mem, vm } = machine;
  const file = vm.cache.createMapping("a file", {}, { sizeBytes: 4096 });
  const folio = cachedFolio(vm, file, 0, 7);
  function* use(): Blocking<void> {
    folioGet(mem, folio);
    yield "has-a-reference";
    yield* folioLock(mem, folio);
    lab.check(file.folios.load(0) === folio, "the folio is no longer in its file");
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
  lab.task("user", use());
  lab.disturb("a truncate", truncates(machine, file));
  yield* lab.run();
});

const hasNoReference = scenario("a clean page stays", function* (lab): Blocking<void> {
  const machine = lab.machine();
  const { mem, vm } = machine;
  const file = vm.cache.createMapping("a file", {}, { sizeBytes: 4096 });
  const folio = cachedFolio(vm, file, 0, 7);
  function* use(): Blocking<void> {
    yield "has-no-reference";
    lab.check(mem.frames.readWord(folio, 0) === 7, "the bytes are another's");
  }
  lab.task("user", use());
  lab.disturb("reclaim", reclaims(machine, "file"));
  yield* lab.run();
});

const looksOnce = scenario("who wakes looks again", function* (lab): Blocking<void> {
  lab.machine();
  const queue = new WaitQueue("the condition");
  let holds = false;
  function* wait(): Blocking<void> {
    if (!holds) yield queue;
    lab.check(holds, "went on although the condition does not hold");
  }
  function* signal(): Blocking<void> {
    yield "signals";
    holds = true;
    queue.wakeAll();
  }
  const waiter = lab.task("waiter", wait());
  lab.task("signaller", signal());
  lab.disturb("an early wake-up", wakesEarly(waiter));
  yield* lab.run();
});

const cases: readonly (readonly [Scenario, RegExp, RegExp])[] = [
  [forgetsToUnlock, /deadlock: second waits for folio 5/, /first: an allocation fails #1=1/],
  [trustsTheDevice, /deadlock: reader waits for folio 5/, /the read of block 0 fails #1=1/],
  [trustsTheOrder, /the device has the older bytes/, /the write of block 0 takes ns #1=1/],
  [movesWhatIsPinned, /a pinned folio has moved/, /start: a pin appears #1=1/],
  [freesByCount, /put of a folio that nobody holds/, /start: somebody looks #1=1/],
  [trustsTheFile, /no longer in its file/, /start: a truncate #1=1/],
  [hasNoReference, /the bytes are another's/, /start: reclaim #1=1/],
  [looksOnce, /the condition does not hold/, /start: an early wake-up #1=1/],
];

for (const [mistaken, says, plan] of cases) {
  test(`${mistaken.name}: not always, and the fault that shows it is named`, () => {
    const { failure } = exploreScenario(mistaken);
    assert.match(failure?.message ?? "nothing was found", says);
    assert.match(failure?.replay ?? "", plan);
    const without = failure?.replay.replace(/;.*/, "") ?? "";
    assert.equal(replayScenario(mistaken, without).verdict, "clean");
  });
}

test("a disturbance that does no harm leaves a scenario clean, in all its plans", () => {
  const calm = scenario("a pinned page stays where it is", function* (lab): Blocking<void> {
    const machine = lab.machine();
    const page = anonymousPage(machine.vm, 7);
    lab.task("mover", mover(machine, page.folio));
    lab.disturb("a pin appears", pins(machine, page));
    yield* lab.run();
  });
  const { verdict, claim, complete } = exploreScenario(calm);
  assert.equal(verdict, "clean");
  assert.ok(complete, claim);
  assert.match(claim, /under 2 plans/);
});
