/** Each step at which a mode sleeps: once what it waits for is over, the folio moves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "../../sched/blocking.ts";
import { Clock } from "../../sched/clock.ts";
import { runTasks } from "../../sched/run.ts";
import { Task } from "../../sched/task.ts";
import { migratePages } from "../migrate-pages.ts";
import { type ModeCell, modeCells } from "./mode-rows.ts";
import { ModeScene } from "./mode-scenes.ts";

/** How long somebody is in the way, in nanoseconds. */
const UNTIL = 700;

function check({ release, step, mode, refusal, refusals }: ModeCell): void {
  const scene = new ModeScene({ release, step });
  const { call } = scene;
  const clock = new Clock();
  let end = -1;
  function* move(): Blocking<void> {
    const { notMoved } = yield* migratePages(call.vm, call.list, call.target, mode, "compaction");
    assert.equal(notMoved, 0);
    end = clock.now;
  }
  clock.after(UNTIL, scene.release);
  runTasks([new Task("mover", move())], clock);
  assert.equal(end, UNTIL);
  assert.equal(call.vm.mem.events.refusals.counts[refusal], refusals);
  assert.deepEqual(call.left, []);
  call.assertTold(mode, "compaction", scene.numbers("moves"));
}

for (const cell of modeCells()) {
  if (cell.ends !== "waits") continue;
  test(`${cell.release}, ${cell.mode}, ${cell.step}: waits, and then moves`, () => check(cell));
}
