/** Failures are told: what happened step by step, what broke, and where others came in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machine } from "../../machine/machine.ts";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrainAll } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { folioMigrateMapping } from "../../migrate/folio-mapping.ts";
import { folioMigrateFlags } from "../../migrate/folio-state.ts";
import { migratePages } from "../../migrate/migrate-pages.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../../migrate/small-migration.ts";
import type { AddressSpace, MigrateOutcome } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { cachedFolio } from "../../vm/small-vm.ts";
import { exploreScenario } from "../explore-scenario.ts";
import { replayScenario } from "../replay-scenario.ts";
import { scenario } from "../scenario.ts";
import type { Story } from "./story.ts";
import { storyText } from "./story-text.ts";
import { storyTrace } from "./story-trace.ts";

/** Copies while others may still have the old folio. */
function* copiesTooEarly(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
): Blocking<MigrateOutcome> {
  mem.frames.copy(dst, src);
  yield "copied-too-early";
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
  if (outcome === "moved") folioMigrateFlags(mem, dst, src);
  return outcome;
}

const lostWrite = scenario("a write to a file's page is not lost", function* (lab): Blocking<void> {
  // The contract of the owner would be found to be broken first.
  const machine = lab.machine(undefined, { checked: false });
  const { cache } = machine.vm;
  const file = cache.createMapping("a file", { migrateFolio: copiesTooEarly });
  const folio = cachedFolio(machine.vm, file, 0, 7);
  lab.task("mover", move(machine, folio));
  lab.task("writer", write(machine, file, 9));
  yield* lab.run();
  const word = machine.mem.frames.readWord(file.folios.load(0) as Folio, 0);
  lab.check(word === 9, "the write is lost, the page holds", word);
});

function* move(machine: Machine, folio: Folio): Blocking<void> {
  const { mem, vm } = machine;
  const list = mem.takeList();
  yield "mover-begins";
  if (isolateForMigration(mem, folio, list)) {
    yield* migratePages(vm, list, new AllocTarget(mem), "sync", "syscall_or_cpuset");
    yield* putbackMovablePages(vm, list);
    lruAddDrainAll(mem);
  }
  mem.releaseList(list);
}

function* write({ mem }: Machine, file: AddressSpace, value: number): Blocking<void> {
  yield "writer-begins";
  const folio = file.folios.load(0) as Folio;
  folioGet(mem, folio);
  mem.frames.writeWord(folio, 0, value);
  folioPut(mem, folio);
}

function storyOf(found: ReturnType<typeof exploreScenario>): Story {
  const story = found.failure?.story;
  assert.ok(story, found.claim);
  return story;
}

test("a lost write is told with the section in which it came", () => {
  const story = storyOf(exploreScenario(lostWrite));
  const { failure, actors, steps } = story;
  assert.deepEqual(
    actors.map(({ name }) => name),
    ["mover", "writer"],
  );
  assert.equal(failure?.kind, "check");
  assert.equal(failure.rule, "the write is lost, the page holds 7");
  assert.equal(failure.found, "at the end");
  assert.equal(failure.guilty?.from, "copied-too-early");
  assert.equal(failure.guilty.to, "the end");
  assert.match(failure.guiltyText, /mover stood between .* while writer went from .* to the end/);
  const writes = steps.filter(({ letter }) => letter === "b").flatMap(({ changes }) => changes);
  assert.deepEqual(
    writes.flatMap(({ fields }) => fields.map(({ what }) => what)),
    ["contents"],
  );
  const moved = steps.flatMap(({ changes }) => changes).flatMap(({ fields }) => fields);
  assert.ok(
    moved.some(({ what, from, to }) => what === "mapping" && `${from}${to}` === "nonea file"),
  );
});

test("a story is the same after a way through JSON, and fits the width", () => {
  const story = storyOf(exploreScenario(lostWrite));
  const again = JSON.parse(JSON.stringify(story)) as Story;
  assert.deepEqual(again, story);
  for (const width of [60, 80, 120, 200]) {
    const lines = storyText(again, {
      width,
      title: (text) => text,
      faint: (text) => text,
      bad: (text) => text,
    }).split("\n");
    assert.ok(Math.max(...lines.map(({ length }) => length)) <= width, `wider than ${width}`);
  }
});

const deadlock = scenario("two tasks take two locks", function* (lab): Blocking<void> {
  const { mem } = lab.machine();
  function* both(first: Folio, second: Folio): Blocking<void> {
    yield* folioLock(mem, first);
    yield "has-one";
    yield* folioLock(mem, second);
    folioUnlock(mem, second);
    folioUnlock(mem, first);
  }
  lab.task("up", both(5 as Folio, 6 as Folio));
  lab.task("down", both(6 as Folio, 5 as Folio));
  yield* lab.run();
});

test("a deadlock is told by who has what the others wait for", () => {
  const story = storyOf(exploreScenario(deadlock));
  assert.equal(story.failure?.kind, "deadlock");
  assert.deepEqual(
    story.failure.waits.map(({ task, at, holder, holds }) => [task, at, holder, holds]),
    [
      ["up", "folio 6", "down", ["folio 5"]],
      ["down", "folio 5", "up", ["folio 6"]],
    ],
  );
});

const neverWilling = scenario("a caller gives up", function* (lab): Blocking<void> {
  const machine = lab.machine();
  const { cache } = machine.vm;
  const file = cache.createMapping("a file", { migrateFolio: answersEagain });
  const folio = cachedFolio(machine.vm, file, 0, 7);
  lab.task("mover", moveUntilDone(machine, folio, file));
  lab.task("idler", idle());
  yield* lab.run();
});

function* answersEagain(): Blocking<MigrateOutcome> {
  yield "asked";
  return "EAGAIN";
}

function* moveUntilDone(machine: Machine, folio: Folio, file: AddressSpace): Blocking<void> {
  while (file.folios.load(0) === folio) yield* move(machine, folio);
}

function* idle(): Blocking<void> {
  yield "idle";
}

test("a livelock of EAGAIN is found, and told by the steps that come again and again", () => {
  const found = exploreScenario(neverWilling, { maxSteps: 300, maxSchedules: 3 });
  const story = storyOf(found);
  assert.equal(story.failure?.kind, "livelock");
  assert.ok(story.loop !== null && story.loop.times >= 3);
  assert.ok(story.steps.length < 400, "a livelock is told at length");
  assert.equal(replayScenario(neverWilling, story.replay, 300).failure?.kind, "livelock");
});

test("a schedule of an older form is followed as far as it fits, and what happens is told", () => {
  const { replay } = storyOf(exploreScenario(lostWrite));
  const same = replayScenario(lostWrite, replay);
  assert.equal(same.failure?.rule, "the write is lost, the page holds 7");
  assert.equal(same.replayed.text, `followed all ${same.steps.length} steps`);
  const other = replayScenario(lostWrite, "b2d3; mover: nobody asks #1=1");
  assert.equal(other.verdict, "clean");
  assert.match(other.replayed.text, /^followed 2 of 5 steps, then went on by itself; the choice/);
  assert.match(storyText(other), /^Replay: followed 2 of 5 steps/m);
  assert.throws(() => replayScenario(lostWrite, "%"), /expected letters and counts/);
});

test("a trace has what ui.perfetto.dev asks of one", () => {
  const story = storyOf(exploreScenario(lostWrite));
  const { traceEvents } = JSON.parse(JSON.stringify(storyTrace(story))) as ReturnType<
    typeof storyTrace
  >;
  const threads = new Set<number>();
  for (const event of traceEvents) {
    assert.ok(["X", "M", "i", "C"].includes(event.ph), event.ph);
    for (const field of [event.pid, event.tid, event.ts]) assert.ok(Number.isInteger(field));
    if (event.name === "thread_name") threads.add(event.tid);
    if (event.ph === "X") assert.ok(threads.has(event.tid) && (event.dur ?? 0) > 0);
    if (event.ph === "C") assert.ok(Object.values(event.args).every(Number.isInteger));
  }
  const slices = traceEvents.filter(({ ph }) => ph === "X");
  assert.equal(slices.length, story.steps.length);
  const failures = traceEvents.filter(({ ph }) => ph === "i");
  assert.deepEqual(
    failures.map(({ args }) => args["rule"]),
    ["the write is lost, the page holds 7"],
  );
});
