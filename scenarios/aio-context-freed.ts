/**
 * 2013, 5e9ae2e5da0b: a mover uses a context of asynchronous I/O that has been freed.
 *
 * The pages of such a ring (`aio-event-in-the-old-page`) belong to a file whose private data name
 * the context, which says where the ring is. A process that ends frees its contexts. The file may
 * live a little longer, and so may its pages, for compaction has them:
 *
 *     process                                   mover
 *                                               locks a page of the ring
 *     exit: frees the context
 *                                               finds the context by the file's private data
 *                                               points "its" ring at the new page
 *
 * The mover writes to memory that is no longer the context's.
 *
 * Since then the context takes itself out of the file first, under private_lock, and a mover keeps
 * that lock from the look until it is done. Without a context the page does not move.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { AioRing } from "./shared/aio-ring.ts";

const story: Scenario = scenario(
  "a move uses no context that has been freed",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const ring = new AioRing(machine);
    const { page } = ring.context;
    const mover = lab.task("mover", moveFolioOnce(machine, page));
    lab.task("process", ring.exit());
    lab.reachable("the mover asks for a context that has gone", () => {
      return ring.context.isFreed && testFlag(machine.mem, page, PG.locked);
    });
    yield* lab.run();
    lab.check(ring.lastEvent === -1, "the ring is left");
    lab.outcome(mover.result);
  },
);

export default story;
