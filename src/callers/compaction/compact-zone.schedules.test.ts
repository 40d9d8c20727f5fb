/** A synchronous compaction that waits: for others to put folios back, and for a folio's lock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import { isolateForMigration } from "../../migrate/small-migration.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { Clock } from "../../sched/clock.ts";
import { runTasks, runToEnd } from "../../sched/run.ts";
import { Task } from "../../sched/task.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";
import { compactZone } from "./compact-zone.ts";
import { COMPACT_MEMORY, COMPACT_SYSCTL_DEFAULTS, type CompactResult } from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";

class Compactor {
  result: CompactResult | null = null;
  end = -1;
  readonly task: Task;

  constructor(made: HandMadeZone, clock: Clock) {
    const compactor = this;
    function* run(): Blocking<void> {
      const { vm, zone } = made;
      const done = yield* compactZone(vm, zone, COMPACT_MEMORY, COMPACT_SYSCTL_DEFAULTS);
      compactor.result = done.result;
      compactor.end = clock.now;
    }
    this.task = new Task("compactor", run());
  }
}

function roomFor(made: HandMadeZone): void {
  for (let at = 0; at < 64; at += 2) made.free(made.block(3) + at);
}

test("while more is isolated than listed, compaction waits for it to be put back", () => {
  const made = new HandMadeZone(4);
  const clock = new Clock();
  const { mem } = made;
  const mine = made.anonymous(made.block(0) + 1);
  const theirs = made.anonymous(made.block(0) + 2);
  roomFor(made);
  const list = mem.takeList();
  assert.ok(isolateForMigration(mem, theirs, list));
  const compactor = new Compactor(made, clock);
  clock.after(900, () => runToEnd(putbackMovablePages(made.vm, list)));
  runTasks([compactor.task], clock);
  assert.deepEqual([compactor.result, compactor.end], ["complete", 900]);
  assert.ok(made.whereIs(mine).frame >= made.block(3));
});

test("a locked folio is waited for, and moves with the others", () => {
  const made = new HandMadeZone(4);
  const clock = new Clock();
  const { mem } = made;
  const folio = made.cached(made.block(0) + 1, { migrateFolio });
  roomFor(made);
  const io = new WaitQueue("i/o");
  function* holder(): Blocking<void> {
    yield* folioLock(mem, folio);
    clock.after(400, () => io.wakeAll());
    yield io;
    folioUnlock(mem, folio);
  }
  const compactor = new Compactor(made, clock);
  const hold = new Task("holder", holder());
  hold.step();
  runTasks([hold, compactor.task], clock);
  assert.deepEqual([compactor.result, compactor.end], ["complete", 400]);
  assert.equal(mem.events.vmstat.snapshot().pgmigrate_success, 1);
});
