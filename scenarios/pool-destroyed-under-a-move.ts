/**
 * 2019, 701d678599d0: a pool is destroyed while compaction has one of its pages.
 *
 * When the last object of a page of zsmalloc is freed, so is the page; but not while compaction has
 * isolated it. Then whoever gives it back, moved or not, has a worker of the pool free it. Who
 * destroyed the pool waited for the worker, and for nobody else:
 *
 *     compaction                                the device is taken down
 *     isolates a page
 *                                               frees the last object: the page stays
 *                                               waits for the worker: nothing is queued
 *                                               frees the pool
 *     gives the page back: it is empty,
 *     so that the worker is to free it
 *
 * The worker is part of memory that is free by then; at best the page is never freed.
 *
 * Since then the pool counts its isolated pages, and who destroys it waits for the last before the
 * worker. (In 2022 isolated pages were left on the pool's lists, and freed as any other.)
 */
import { movePage, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { ZsPool } from "./shared/zs-pool.ts";

const story: Scenario = scenario(
  "nothing is done for a pool that has been destroyed",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const pool = new ZsPool(machine);
    lab.daemon("worker", pool.work());
    const mover = lab.task("compaction", movePage(machine, pool.firstPage));
    lab.task("user", pool.destroy());
    lab.reachable("the pool is to be destroyed while its page is isolated", () => {
      return pool.state === "being destroyed" && pool.isolatedPages > 0;
    });
    yield* lab.run();
    lab.check(pool.page === null, "the page of a pool outlives it");
    lab.outcome(mover.result);
  },
);

export default story;
