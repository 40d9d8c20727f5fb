/** What is looked for beside a scenario's own rules: each rule is broken once, and found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { anonymousPage } from "../../vm/small-vm.ts";
import { exploreScenario } from "../explore-scenario.ts";
import { moveFolioOnce } from "../move-folio.ts";
import { type Scenario, scenario } from "../scenario.ts";

/** One task holds the lock of a folio with a file, another one changes its columns without. */
function changesUnderALock(column: "mapping" | "index" | "private"): Scenario {
  return scenario(`${column} is changed under the lock`, function* (lab): Blocking<void> {
    const { mem } = lab.machine();
    const folio = folioAlloc(mem, movableRequest(0)) as Folio;
    function* holds(): Blocking<void> {
      yield* folioLock(mem, folio);
      yield "holds-the-lock";
      folioUnlock(mem, folio);
    }
    function* changes(): Blocking<void> {
      yield "changes";
      mem[column][folio] = 4;
      yield "changed";
      mem[column][folio] = 0;
    }
    lab.task("holder", holds());
    lab.task("intruder", changes());
    yield* lab.run();
    folioPut(mem, folio);
  });
}

for (const column of ["mapping", "index", "private"] as const) {
  test(`a change of ${column} without the lock that another has is found`, () => {
    const { failure } = exploreScenario(changesUnderALock(column));
    const says = new RegExp(`intruder has changed ${column} of folio 1 .* holder has locked`);
    assert.match(failure?.message ?? "", says);
    assert.equal(failure?.story?.failure?.kind, "contract");
    assert.match(
      failure.story.failure.guiltyText,
      /holder stood .*holds-the-lock.* while intruder/,
    );
  });
}

test("whoever has the lock may change what it keeps", () => {
  const careful = scenario("columns are changed under the lock", function* (lab): Blocking<void> {
    const { mem } = lab.machine();
    const folio = folioAlloc(mem, movableRequest(0)) as Folio;
    function* changes(): Blocking<void> {
      yield* folioLock(mem, folio);
      mem.private[folio] = 4;
      yield "changed";
      mem.private[folio] = 0;
      folioUnlock(mem, folio);
    }
    lab.task("first", changes());
    lab.task("second", changes());
    yield* lab.run();
    folioPut(mem, folio);
  });
  assert.equal(exploreScenario(careful).verdict, "clean");
});

/** One task frees a folio, another uses it without a reference. */
function usesAfterFree(use: "writes" | "owns"): Scenario {
  return scenario(`nobody ${use} what is free`, function* (lab): Blocking<void> {
    const { mem } = lab.machine();
    const folio = folioAlloc(mem, movableRequest(0)) as Folio;
    function* frees(): Blocking<void> {
      yield "frees";
      folioPut(mem, folio);
    }
    function* intrudes(): Blocking<void> {
      yield "uses";
      if (use === "writes") mem.frames.writeWord(folio, 0, 9);
      else mem.mapping[folio] = 5;
      yield "used";
      mem.mapping[folio] = 0;
    }
    lab.task("owner", frees());
    lab.task("user", intrudes());
    yield* lab.run();
  });
}

test("a write to a free frame is found, and so is a free frame that gets an owner", () => {
  const written = exploreScenario(usesAfterFree("writes")).failure;
  assert.equal(written?.message, "use after free: user has written to the free frame 1");
  const owned = exploreScenario(usesAfterFree("owns")).failure;
  assert.equal(owned?.message, "use after free: user has given the free frame 1 an owner");
});

test("a lock that nobody gives up is found at the end, with who has it", () => {
  const leaks = scenario("locks are given up", function* (lab): Blocking<void> {
    const { mem } = lab.machine();
    function* locks(): Blocking<void> {
      yield* folioLock(mem, 5 as Folio);
    }
    lab.task("careless", locks());
    yield* lab.run();
  });
  const { failure } = exploreScenario(leaks);
  assert.equal(failure?.message, "a folio is still locked at the end, by careless: 5");
});

test("locks of files and of processes that nobody gives up are found at the end", () => {
  const kinds = ["private_lock", "invalidate_lock", "mmap_lock"] as const;
  for (const kind of kinds) {
    const leaks = scenario("locks are given up", function* (lab): Blocking<void> {
      const { vm } = lab.machine();
      const file = vm.cache.createMapping("a file", {});
      const mm = vm.createMm("a process");
      function* locks(): Blocking<void> {
        if (kind === "private_lock") yield* file.privateLock.lock();
        if (kind === "invalidate_lock") yield* file.invalidateLock.lockShared();
        if (kind === "mmap_lock") yield* mm.mmapLock.readLock();
      }
      lab.task("careless", locks());
      yield* lab.run();
    });
    const says = new RegExp(`a lock is still held at the end: ${kind} of a (file|process)`);
    assert.match(exploreScenario(leaks).failure?.message ?? "", says);
  }
});

test("a reference that nobody gives back is found at the end", () => {
  const leaks = scenario("references are given back", function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { folio } = anonymousPage(machine.vm, 7);
    function* gets(): Blocking<void> {
      yield "gets";
      folioGet(machine.mem, folio);
    }
    lab.task("careless", gets());
    yield* lab.run();
  });
  assert.match(exploreScenario(leaks).failure?.message ?? "", /folio 1: 2 references, 1 holders/);
});

/** Two writers of one word, a move meanwhile; `loses` undoes a write behind the shadow's back. */
function shadowed(loses: "nothing" | "a write"): Scenario {
  return scenario(`a shadow finds ${loses} lost`, function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { mem, vm } = machine;
    const shadow = lab.shadow(machine);
    const page = anonymousPage(vm, 7);
    shadow.holds(page, 0, 7);
    function* writes(value: number): Blocking<void> {
      yield* shadow.write(page, 0, value);
      yield* shadow.read(page, 0);
    }
    function* undoes(): Blocking<void> {
      const before = mem.frames.readWord(page.folio, 0);
      yield "undoes";
      if (loses === "a write") mem.frames.writeWord(page.folio, 0, before);
    }
    function* moves(): Blocking<void> {
      yield* moveFolioOnce(machine, page.folio);
    }
    lab.task("first", writes(8));
    lab.task("second", loses === "nothing" ? moves() : undoes());
    yield* lab.run();
  });
}

test("a shadow has nothing to say where nothing is lost, and finds a write that is", () => {
  const calm = exploreScenario(shadowed("nothing"), { maxSchedules: 2000 });
  assert.equal(calm.verdict, "clean", calm.failure?.message);
  const { failure } = exploreScenario(shadowed("a write"));
  assert.match(failure?.message ?? "", /word 0 at page \d+ of process 0 is lost: found 7/);
});

test("writes that overlap may come out in either order, and no other", () => {
  const both = scenario("the last write of two wins", function* (lab): Blocking<void> {
    const machine = lab.machine();
    const shadow = lab.shadow(machine);
    const page = anonymousPage(machine.vm, 7);
    shadow.holds(page, 0, 7);
    function* writes(value: number): Blocking<void> {
      yield* shadow.write(page, 0, value);
    }
    const tasks = [lab.task("eight", writes(8)), lab.task("nine", writes(9))];
    yield* lab.run();
    assert.ok(tasks.every(({ state }) => state === "finished"));
  });
  const { verdict, failure, schedules } = exploreScenario(both);
  assert.equal(verdict, "clean", failure?.message);
  assert.ok(schedules > 1);
});
