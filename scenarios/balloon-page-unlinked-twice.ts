/**
 * 2015, 21ea9fb69e7c by memory: a page of a balloon is taken off its list twice.
 *
 * A balloon has its pages on a list; the guest takes one when it wants memory back. The walk that
 * looks for one took pages_lock only for the unlinking, when it had found a page:
 *
 *     guest                                     compaction
 *     walks the list, stands on a page
 *                                               locks the page, unlinks it, isolates it,
 *                                               unlocks it, links it on a list of its own
 *     locks the page; takes pages_lock
 *     unlinks it: from whose list?
 *
 * At best the links have no page behind them: a general protection fault. Else the page is on its
 * way to a new place while the guest has it.
 *
 * Since then pages_lock covers the walk too, and a page whose lock is taken is passed over. (In
 * 2019 the same unlinking came twice with nobody between: whoever filled the balloon had taken the
 * page off a list, and so did the balloon. Each inflation showed that one, so it is no race.)
 */
import { movePage, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { Balloon } from "./shared/balloon.ts";

const story: Scenario = scenario(
  "a page is the guest's, or on its way, and not both",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const balloon = new Balloon(machine);
    balloon.inflate();
    // The one that a walk comes to first.
    const page = balloon.inflate();
    const mover = lab.task("compaction", movePage(machine, page));
    const guest = lab.task("guest", balloon.deflate());
    lab.reachable("the guest takes another page while one is isolated", () => {
      return balloon.isolatedPages === 1 && balloon.size === 0;
    });
    lab.reachable("the guest has passed over a page that is about to be isolated", () => {
      const { mem } = machine;
      const isAsked = testFlag(mem, page, PG.locked) && mem.refcount[page] === 2;
      return isAsked && balloon.isolatedPages === 0 && balloon.size === 1;
    });
    yield* lab.run();
    lab.check(balloon.isolatedPages === 0, "pages left isolated:", balloon.isolatedPages);
    lab.check(balloon.size === 1, "pages in the balloon:", balloon.size);
    lab.outcome(`${mover.result}, ${guest.result}`);
    balloon.close();
  },
);

export default story;
