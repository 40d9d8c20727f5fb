/**
 * How many schedules a second: `npm run bench:schedules [SECONDS]`.
 *
 * Three tasks lock, touch and unlock one folio of a machine of 64 frames, which is restored by a
 * copy of its columns; every schedule of that, again and again, on one thread. At the end the
 * machine is compared with a new one, object by object.
 */
import { cpus } from "node:os";
import type { Lab } from "../src/lab/lab.ts";
import { programOf } from "../src/lab/lab-program.ts";
import { scenario } from "../src/lab/scenario.ts";
import { LabSession } from "../src/lab/session.ts";
import { folioLock, folioUnlock } from "../src/memory/folio-lock.ts";
import type { Folio } from "../src/memory/memmap.ts";
import type { Memory } from "../src/memory/memory.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { SEARCH_DEFAULTS, search } from "../src/sched/explore/search.ts";

const FOLIO = 5 as Folio;
const SECONDS = Number(process.argv[2] ?? 5);

const threeTasks = scenario("one of three has the lock", function* (lab): Blocking<void> {
  const { mem } = lab.keptMachine();
  for (const name of ["a", "b", "c"]) lab.task(name, work(lab, mem));
  yield* lab.run();
  lab.check(mem.index[FOLIO] === 3, "a touch is lost:", mem.index[FOLIO]);
});

/**
 * Not inside of the scenario: each generator function that is made anew in a run costs the engine
 * a hidden class, which keeps what it sees until the next full collection.
 */
function* work(lab: Lab, mem: Memory): Blocking<void> {
  yield* folioLock(mem, FOLIO);
  const before = mem.index[FOLIO];
  yield "at work";
  mem.index[FOLIO] = before + 1;
  lab.check(mem.index[FOLIO] <= 3, "more touches than tasks");
  folioUnlock(mem, FOLIO);
}

const session = new LabSession();
const start = programOf(threeTasks, session);
const rates: number[] = [];
let claim = "";
for (let second = -1; second < SECONDS; second++) {
  const began = performance.now();
  let schedules = 0;
  while (performance.now() < began + 1000) {
    const found = search(start, { ...SEARCH_DEFAULTS, strategy: "all" });
    schedules += found.schedules;
    claim = found.claim;
  }
  // The first second warms the code up.
  if (second >= 0) rates.push((schedules / (performance.now() - began)) * 1000);
}
session.check();
rates.sort((a, b) => a - b);
const [least, median, most] = [rates[0], rates[rates.length >> 1], rates[rates.length - 1]];
console.log(`Node ${process.version}, ${cpus()[0].model}`);
console.log(`three tasks, one lock, one folio; ${claim}`);
console.log(
  `schedules a second: median ${round(median)}, least ${round(least)}, most ${round(most)}`,
);

function round(rate: number): string {
  return Math.round(rate).toLocaleString("en-US");
}
