/**
 * 2019, c92d2f38563d and 943fb61dd69c by memory: a page moves to whose objects somebody writes.
 *
 * z3fold packs up to three objects into a page. A user who maps an object gets its address, and a
 * count in the page's header says so. When the pages became movable, a mapped one was kept from
 * isolation, but one that was mapped after that moved:
 *
 *     mover                                     user
 *     isolates the page: nothing is mapped
 *                                               maps its object: one more in the count,
 *                                               an address in the old page
 *     copies the page, frees the old one
 *                                               writes by the address
 *
 * What is written goes to a page that is free by then, or somebody else's.
 *
 * Since then the move looks at the count again, under the lock of the header, and a mapped page is
 * refused: EBUSY. (The same commits keep the move from copying the header's lock and list links.)
 */
import { movePage, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BuddiedPage } from "./shared/buddied-page.ts";

const story: Scenario = scenario(
  "what is written to a mapped object is in it",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const owner = new BuddiedPage(machine);
    const { page } = owner;
    const mover = lab.task("mover", movePage(machine, page));
    lab.task("user", owner.write(7));
    lab.reachable("the object is mapped while its page is isolated", () => {
      return owner.mappedCount > 0 && testFlag(machine.mem, page, PG.isolated);
    });
    yield* lab.run();
    lab.check(owner.object === 7, "the write is lost");
    lab.outcome(mover.result);
    yield* owner.free();
  },
);

export default story;
