/** Scenarios of a page each: that mistakes are found, and that what was seen is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { folioLock, folioUnlock } from "../memory/folio-lock.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Blocking } from "../sched/blocking.ts";
import { checkScenario } from "./check-scenario.ts";
import { exploreScenario } from "./explore-scenario.ts";
import { type Scenario, scenario } from "./scenario.ts";

const FOLIO = 5 as Folio;

const oneHasTheLock = scenario("one of three has the lock", function* (lab): Blocking<void> {
  const { mem } = lab.machine();
  let order = "";
  function* work(name: string): Blocking<void> {
    yield* folioLock(mem, FOLIO);
    yield "at work";
    order += name;
    folioUnlock(mem, FOLIO);
  }
  for (const name of ["a", "b", "c"]) lab.task(name, work(name));
  lab.reachable("somebody waits", () => mem.waiters.size === 1);
  yield* lab.run();
  lab.outcome(order);
});

test("every schedule is tried, and what was seen is counted", () => {
  const { verdict, claim, coverage } = exploreScenario(oneHasTheLock, { strategy: "all" });
  assert.equal(verdict, "clean");
  assert.equal(claim, "exhaustive: all 60 schedules");
  assert.equal(Object.keys(coverage.outcomes).length, 6);
  assert.ok(coverage.states["somebody waits"] > 0);
  assert.ok(coverage.points["a"]["at work"] > 0);
});

/** Two tasks add to a counter; one of them may add two. */
const lostUpdate = scenario("nothing is lost", function* (lab): Blocking<void> {
  let counter = 0;
  function* add(): Blocking<number> {
    const read = counter;
    const more = lab.fault("adds one more") ? 2 : 1;
    yield "read";
    counter = read + more;
    return more;
  }
  const tasks = [lab.task("first", add()), lab.task("second", add())];
  yield* lab.run();
  const added = tasks[0].result + tasks[1].result;
  lab.check(counter === added, "an addition is lost:", counter, added);
});

test("a failure is told with the least that repeats it", () => {
  for (const strategy of ["auto", "all", "preemptions", "pct", "random"] as const) {
    const { verdict, failure } = exploreScenario(lostUpdate, { strategy });
    assert.equal(verdict, "failed");
    assert.equal(failure?.message, "an addition is lost: 1 2");
    assert.equal(failure.replay, "ab2a", strategy);
  }
});

const neverThere = scenario("a state that is none", function* (lab): Blocking<void> {
  lab.task("idle", idle());
  lab.reachable("pigs fly", () => false);
  yield* lab.run();
});

function* idle(): Blocking<void> {
  yield "idle";
}

test("a scenario that never reaches what it is about fails", () => {
  const { verdict, failure } = exploreScenario(neverThere);
  assert.equal(verdict, "failed");
  assert.equal(failure?.message, "no schedule reached: pigs fly");
});

/** Some tasks add one each, with their points of preemption between read and write, or without. */
function additions(tasks: number, between: boolean): Scenario {
  return scenario(`${tasks} additions`, function* (lab): Blocking<void> {
    let counter = 0;
    function* add(): Blocking<void> {
      const read = counter;
      if (between) yield "read";
      counter = read + 1;
      if (!between) yield "written";
    }
    for (let task = 0; task < tasks; task++) lab.task(`adder ${task}`, add());
    yield* lab.run();
    lab.check(counter === tasks, "an addition is lost");
  });
}

test("parameters of a scenario come from fast-check, and its failure is the whole story", () => {
  const sizes = fc.integer({ min: 1, max: 4 });
  fc.assert(fc.property(sizes, (tasks) => checkScenario(additions(tasks, false)).complete));
  const lossy = fc.property(sizes, (tasks) => checkScenario(additions(tasks, true)).complete);
  const { counterexample, errorInstance } = fc.check(lossy);
  assert.deepEqual(counterexample, [2], "the least that fails");
  assert.match(String(errorInstance), /ScenarioError: 2 additions\nfailed: an addition is lost/);
  assert.match(String(errorInstance), /adder 0 stood between/);
});

const manyFaults = scenario("what goes wrong is counted", function* (lab): Blocking<void> {
  function* work(): Blocking<number> {
    let faults = 0;
    for (let at = 0; at < 3; at++) if (lab.fault("a request fails")) faults++;
    yield "worked";
    return faults;
  }
  const task = lab.task("worker", work());
  yield* lab.run();
  lab.outcome(`${task.result} faults`);
});

test("a claim says how many faults it stands for", () => {
  const one = exploreScenario(manyFaults, { strategy: "all" });
  assert.deepEqual(one.coverage.outcomes, { "0 faults": 1, "1 faults": 3 });
  assert.match(one.claim, /under 4 plans of faults and values, with at most 1 faults in a run$/);
  const all = exploreScenario(manyFaults, { strategy: "all", maxFaults: 3 });
  assert.deepEqual(all.coverage.outcomes, {
    "0 faults": 1,
    "1 faults": 3,
    "2 faults": 3,
    "3 faults": 1,
  });
  assert.match(all.claim, /under 8 plans of faults and values$/);
});
