import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Blocking, Steps } from "../blocking.ts";
import { Clock } from "../clock.ts";
import { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import { exploreSchedules, type Run, replaySchedule, ScheduleError } from "./explore.ts";

function* pass(points: number): Steps<void> {
  for (let i = 0; i < points; i++) yield "point";
}

function passing(...points: readonly number[]): () => Run {
  return () => ({ tasks: points.map((count, i) => new Task(`task ${i}`, pass(count))) });
}

test("the schedules of a few small scenarios, counted by hand", () => {
  assert.equal(exploreSchedules(passing(5)), 1, "one task has one schedule");
  assert.equal(exploreSchedules(passing(0, 0)), 2, "either goes first");
  assert.equal(exploreSchedules(passing(1, 1)), 6, "aabb abab abba baab baba bbaa");
  assert.equal(exploreSchedules(passing(0, 2)), 4, "a before, after and between bbb");
  assert.equal(exploreSchedules(passing(0, 0, 0)), 6, "3!");
  assert.equal(exploreSchedules(passing(1, 1, 1)), 90, "6! / 2! 2! 2!");
});

test("independent tasks have as many schedules as their steps have orders", () => {
  const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
  const points = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(points, (counts) => {
      const steps = counts.map((count) => count + 1);
      const all = factorial(steps.reduce((sum, count) => sum + count, 0));
      const expected = steps.reduce((orders, count) => orders / factorial(count), all);
      assert.equal(exploreSchedules(passing(...counts)), Math.round(expected));
    }),
  );
});

test("every order of the steps is seen once", () => {
  const seen: string[] = [];
  exploreSchedules(() => {
    let order = "";
    function* steps(name: string): Steps<void> {
      order += name;
      yield "between";
      order += name;
    }
    const tasks = [new Task("a", steps("a")), new Task("b", steps("b"))];
    return { tasks, check: () => seen.push(order) };
  });
  assert.deepEqual(seen.sort(), ["aabb", "abab", "abba", "baab", "baba", "bbaa"]);
});

/** Two tasks add to a counter; `read` and write apart lose an addition in some schedules. */
function lostUpdate(): Run {
  let counter = 0;
  function* add(): Steps<void> {
    const read = counter;
    yield "counter read";
    counter = read + 1;
  }
  const check = (): void => assert.equal(counter, 2);
  return { tasks: [new Task("a", add()), new Task("b", add())], check };
}

test("a lost update is found, and its string replays it", () => {
  let found: unknown;
  try {
    exploreSchedules(lostUpdate);
  } catch (error) {
    found = error;
  }
  assert.ok(found instanceof ScheduleError);
  assert.equal(found.schedule, "0.1.0");
  assert.match(found.message, /^schedule "0\.1\.0" failed: .*1 !== 2/s);
  assert.throws(() => replaySchedule(lostUpdate, "0.1.0"), { message: found.message });
  replaySchedule(lostUpdate, "0.0");
});

test("a sleeper is no choice until it is woken, nor is time while a task can run", () => {
  const orders: string[] = [];
  const schedules = exploreSchedules(() => {
    const clock = new Clock();
    const io = new WaitQueue("i/o");
    let order = "";
    function* read(): Blocking<void> {
      clock.after(1, () => io.wakeAll());
      order += "r";
      yield io;
      order += "R";
    }
    function* work(): Steps<void> {
      order += "w";
      yield "working";
      order += "W";
    }
    const tasks = [new Task("reader", read()), new Task("worker", work())];
    return { tasks, clock, check: () => orders.push(order) };
  });
  assert.deepEqual(orders.sort(), ["rwWR", "wWrR", "wrWR"]);
  assert.equal(schedules, 3);
});

test("a deadlock in one schedule alone is found with its schedule", () => {
  const scenario = (): Run => {
    const queues = [new WaitQueue("first lock"), new WaitQueue("second lock")];
    const held = [false, false];
    function* takeBoth(order: readonly number[]): Blocking<void> {
      for (const lock of order) {
        while (held[lock]) yield queues[lock];
        held[lock] = true;
        yield "taken";
      }
      for (const lock of order) {
        held[lock] = false;
        queues[lock].wakeAll();
      }
    }
    return { tasks: [new Task("up", takeBoth([0, 1])), new Task("down", takeBoth([1, 0]))] };
  };
  assert.throws(() => exploreSchedules(scenario), {
    name: "ScheduleError",
    message: /deadlock: up waits for second lock; down waits for first lock/,
  });
});

test("a string that is no schedule of the scenario is refused and says why", () => {
  const replay = (schedule: string) => (): void => replaySchedule(lostUpdate, schedule);
  assert.throws(replay("0.x"), {
    name: "InputError",
    message: 'schedule: found "0.x", expected choices as in 0.2.1',
  });
  assert.throws(replay("0.2"), {
    name: "InputError",
    message: "schedule, choice 2: found 2, expected below 2",
  });
  assert.throws(replay("0.0.0.0"), {
    name: "InputError",
    message: "schedule: found 4 choices, expected 2, all that this run has",
  });
});
