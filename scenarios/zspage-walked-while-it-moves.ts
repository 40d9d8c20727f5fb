/**
 * 2022, 2505a981114d: a walk of a chain of pages while one of them is replaced.
 *
 * zsmalloc packs small objects into groups of up to four pages, which are a chain. A group that is
 * empty is freed by a worker, which locks the pages first, one by one, and sleeps where one is
 * locked. Nothing kept the chain meanwhile:
 *
 *     worker                                    mover
 *                                               locks the second page, to move it
 *     locks the first page
 *     finds the second by the first's link,
 *     sleeps for its lock
 *                                               puts a new page in its place, clears the
 *                                               link of the old one, unlocks and frees it
 *     has the lock of a page that is no longer
 *     in the chain, and goes on by its link
 *
 * Where that link says "none", the worker frees pages that it has not locked. Where somebody else
 * has the page by then, it leads anywhere: the worker locks pages that are not its own.
 *
 * Since then the worker holds the group's migrate lock while it walks, and only tries the locks of
 * pages. For one that is taken it lets go, waits with a reference, and finds the next page anew.
 */
import { movePage, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { Zspage } from "./shared/zspage.ts";

const story: Scenario = scenario(
  "who frees a chain of pages has locked each of them",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { mem } = machine;
    const zspage = new Zspage(machine, 3);
    const [, second] = zspage.pages;
    const mover = lab.task("mover", movePage(machine, second));
    lab.task("worker", zspage.free());
    lab.reachable("the worker waits for a page that is being moved", () => {
      return zspage.lockedPages === 1 && mem.waiters.has(second);
    });
    lab.reachable("the worker has all pages, one of them isolated", () => {
      return zspage.pages.length === 0 && testFlag(mem, second, PG.isolated);
    });
    yield* lab.run();
    lab.outcome(mover.result);
  },
);

export default story;
