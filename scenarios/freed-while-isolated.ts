/**
 * 2016, the rule that came with movable pages of drivers: a driver may free a page that the VM has.
 *
 * A driver cannot wait for the VM to give a page back: its user is gone, and it has locks of its
 * own. So it lets go of an isolated page as of any other, by the mapping word and under the page's
 * lock, and whoever has isolated it looks at the word again before the driver is asked for more:
 *
 *     mover                                     driver
 *     isolates the page, links it on its list
 *                                               locks the page, takes its mark off,
 *                                               unlocks it, puts its reference
 *     locks the page: nobody's any more
 *     puts the last reference
 *
 * Where that look is missing, the driver is asked to move a page that it does not know. Where the
 * driver takes the page off "its" list, it does so to the list of the mover: an isolated page has
 * links that are the VM's.
 *
 * The kernel has these looks from the start; what forgets them is a driver, or a change to either.
 */
import { movePage, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import { SmallDriver } from "../src/migrate/small-driver.ts";
import type { Blocking } from "../src/sched/blocking.ts";

const story: Scenario = scenario(
  "a page that its driver frees while the VM has it is freed once",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const driver = new SmallDriver(machine.vm.cache);
    const handle = driver.add(7);
    const page = driver.pageOf(handle);
    const mover = lab.task("mover", movePage(machine, page));
    const user = lab.task("user", driver.free(handle));
    lab.reachable("the page is isolated and nobody's", () => {
      const { mem } = machine;
      return testFlag(mem, page, PG.isolated) && mem.refcount[page] === 1;
    });
    yield* lab.run();
    driver.close();
    lab.outcome(`${mover.result}, ${user.result}`);
  },
);

export default story;
