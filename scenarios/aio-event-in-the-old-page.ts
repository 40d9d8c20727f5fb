/**
 * 2013 and 2014, 8e321fefb0e6 and fa8a53c39f3f by memory: an event is written where the ring was.
 *
 * Asynchronous I/O tells a process what has ended by a ring of events in memory that both have.
 * When its pages became movable, the copy and the switch of the pointer were not one thing for
 * those who write events. These come from interrupts, and hold nothing but completion_lock:
 *
 *     mover                                     interrupt: some I/O has ended
 *     copies the ring's page
 *                                               takes completion_lock
 *                                               writes the event: to the old page
 *     points the ring at the new page
 *     frees the old page
 *
 * The event is lost: io_getevents() waits for ever for I/O that has ended long ago.
 *
 * Since then the mover holds completion_lock over the copy and the switch.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { AioRing } from "./shared/aio-ring.ts";

const story: Scenario = scenario(
  "no event of asynchronous I/O is lost",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const ring = new AioRing(machine);
    const { page } = ring.context;
    const mover = lab.task("mover", moveFolioOnce(machine, page));
    lab.task("interrupt", ring.complete(7));
    lab.reachable("an event comes while the ring is being moved", () => {
      return ring.context.completionLock.held && ring.file.privateLock.held;
    });
    yield* lab.run();
    lab.check(ring.lastEvent === 7, "the event is lost");
    yield* ring.exit();
    lab.outcome(mover.result);
  },
);

export default story;
