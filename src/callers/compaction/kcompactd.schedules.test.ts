/** kcompactd as a task: what wakes it, and when it looks by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../sched/clock.ts";
import { runTasks } from "../../sched/run.ts";
import { Task } from "../../sched/task.ts";
import { COMPACT_SYSCTL_DEFAULTS } from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { Kcompactd } from "./kcompactd.ts";

const HALF_SECOND = 500_000_000;

/** Runs the daemon until `end`; returns when and what it told of itself. */
function watch(
  made: HandMadeZone,
  end: number,
  events: readonly (readonly [number, (kcompactd: Kcompactd) => void])[] = [],
): string[] {
  const clock = new Clock();
  const kcompactd = new Kcompactd(made.vm, made.mem.nodes[0], () => COMPACT_SYSCTL_DEFAULTS);
  const told: string[] = [];
  made.mem.events.trace = {
    event(name, text) {
      if (/kcompactd|_begin/.test(name)) told.push(`${clock.now / 1e9} ${name} ${text}`);
    },
  };
  for (const [at, run] of events) clock.after(at, () => run(kcompactd));
  clock.after(end, () => kcompactd.stop());
  runTasks([new Task("kcompactd", kcompactd.run(clock))], clock);
  return told.map((line) =>
    line
      .replace("mm_compaction_", "")
      .replace(/(zone_start|nid=0 order).*/, "")
      .trim(),
  );
}

/** Free pages apart, nothing to move. */
function hopeless(): HandMadeZone {
  const made = new HandMadeZone(4);
  for (let at = 0; at < 512; at += 2) made.free(made.block(2) + at);
  return made;
}

test("it sleeps half a second at a time while there is nothing to do", () => {
  const told = watch(new HandMadeZone(4), 3 * HALF_SECOND - 1);
  assert.deepEqual(told, [
    "0 kcompactd_sleep nid=0",
    "0.5 kcompactd_sleep nid=0",
    "1 kcompactd_sleep nid=0",
  ]);
});

test("after a compaction in vain it looks again 32 seconds later, not half a second", () => {
  const told = watch(hopeless(), 40 * 2 * HALF_SECOND);
  assert.deepEqual(told, [
    "0 kcompactd_sleep nid=0",
    "0.5 begin",
    "0.5 kcompactd_sleep nid=0",
    "32.5 begin",
    "32.5 kcompactd_sleep nid=0",
  ]);
});

test("a request wakes it at once if compaction can begin, and the write of the sysctl does", () => {
  const made = hopeless();
  const told = watch(made, 2 * HALF_SECOND, [
    [100, (kcompactd) => kcompactd.wake(0, "Normal")],
    [200, (kcompactd) => kcompactd.wake(6, "Normal")],
    [300, (kcompactd) => kcompactd.triggerProactive()],
  ]);
  assert.deepEqual(
    told.map((line) => line.replace("e-7", "")),
    [
      "0 kcompactd_sleep nid=0",
      "2 wakeup_kcompactd",
      "2 kcompactd_wake",
      "2 begin",
      "2 kcompactd_sleep nid=0",
      "3 begin",
      "3 kcompactd_sleep nid=0",
    ],
  );
});
