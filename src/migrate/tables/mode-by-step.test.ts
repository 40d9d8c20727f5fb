/** Each step of a move in each mode, for a task that is alone: it moves, it stays or it sleeps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PG } from "../../memory/page-flags.ts";
import { type ModeCell, modeCells } from "./mode-rows.ts";
import { ModeScene, VALUE } from "./mode-scenes.ts";

function check(cell: ModeCell): void {
  const scene = new ModeScene(cell);
  const { call, src } = scene;
  const { refusals, vmstat } = call.vm.mem.events;
  if (cell.ends === "waits") {
    const sleeps = { name: "WouldSleepError", queue: scene.queue };
    assert.throws(() => call.migrate(cell.mode, "compaction"), sleeps);
    assert.equal(vmstat.snapshot().pgmigrate_fail, 0, "the call is not over");
  } else {
    const isMoved = cell.ends === "moves";
    const { notMoved } = call.tell(cell.mode, "compaction", scene.numbers(cell.ends));
    assert.equal(notMoved, isMoved ? 0 : 1);
    assert.deepEqual(call.left, isMoved ? [] : [src]);
    if (isMoved) assertCopied(scene, cell);
    else assertAsItWas(scene, cell);
  }
  assert.equal(refusals.counts[cell.refusal], cell.refusals, cell.refusal);
  const all = Object.values(refusals.counts).reduce((sum, count) => sum + count);
  assert.equal(all, cell.refusals, "nobody else refused");
}

/** Who copies by other means gets the frame alone; the first try of 6.3 does not know of that. */
function assertCopied({ call }: ModeScene, { mode, release, refusals }: ModeCell): void {
  const dst = call.target.given.at(-1);
  assert.ok(dst !== undefined);
  const copies = mode !== "sync-no-copy" || (release !== "6.1" && refusals === 0);
  assert.equal(call.vm.mem.frames.readWord(dst, 0) === VALUE, copies);
}

/** Unlocked by the call, if it was not locked before; its bytes where they were. */
function assertAsItWas({ call, src }: ModeScene, { step, refusal }: ModeCell): void {
  const { mem } = call.vm;
  const isLocked = (mem.flags[src] & PG.locked) !== 0;
  assert.equal(isLocked, step.includes("lock of src"));
  assert.equal(mem.frames.readWord(src, 0), VALUE);
  assert.equal(mem.events.refusals.standing.get(src)?.name, refusal);
}

for (const cell of modeCells()) {
  test(`${cell.release}, ${cell.mode}, ${cell.step}: ${cell.ends}`, () => check(cell));
}
