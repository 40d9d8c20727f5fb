/**
 * 2016, the rules by which movable pages of drivers are isolated: one has the page, or nobody.
 *
 * Compaction, memory offlining and a call for contiguous memory walk frames, not lists, and may
 * come to one page at one time, while its driver frees it. Each takes a reference if there is still
 * one to take, looks at the mapping word, tries the page's lock, and under it looks once more:
 *
 *     one isolator               the other                  driver
 *     a reference; a movable     a reference; a movable
 *     page, by its word          page, by its word
 *     locks, looks, isolates
 *     unlocks
 *                                locks: is it isolated?
 *                                                           frees the page
 *     locks: has it still a driver?
 *
 * Without the look at the isolated mark, one page is on two lists: the driver unlinks it twice.
 * Without the look at the word, a page that has no driver any more is asked for its operations.
 * The same look comes before a page is put back: its driver may have let go of it.
 */
import { type Lab, type Scenario, scenario } from "../src/lab/index.ts";
import type { Machine } from "../src/machine/machine.ts";
import { type Folio, testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import { listAddTail } from "../src/memory/page-list.ts";
import { isolateMovablePage } from "../src/migrate/isolate-movable.ts";
import { putbackMovablePages } from "../src/migrate/putback.ts";
import { SmallDriver } from "../src/migrate/small-driver.ts";
import type { Blocking } from "../src/sched/blocking.ts";

/** Takes the page and gives it back, as who finds the rest of its block in use. */
function* isolate({ vm, mem }: Machine, page: Folio): Blocking<"had it" | "refused"> {
  if ((yield* isolateMovablePage(vm.cache, page, 0)) !== "isolated") return "refused";
  const list = mem.takeList();
  listAddTail(mem, list, page);
  yield "isolator-has-the-page";
  yield* putbackMovablePages(vm, list);
  mem.releaseList(list);
  return "had it";
}

function scene(lab: Lab): { machine: Machine; driver: SmallDriver; handle: number; page: Folio } {
  const machine = lab.machine();
  const driver = new SmallDriver(machine.vm.cache);
  const handle = driver.add(7);
  return { machine, driver, handle, page: driver.pageOf(handle) };
}

const twoIsolators: Scenario = scenario(
  "of two isolators one has a driver's page at a time",
  function* (lab): Blocking<void> {
    const { machine, driver, handle, page } = scene(lab);
    const one = lab.task("one", isolate(machine, page));
    const other = lab.task("other", isolate(machine, page));
    lab.reachable("the other comes to a page that is isolated", () => {
      return testFlag(machine.mem, page, PG.isolated) && machine.mem.refcount[page] === 3;
    });
    yield* lab.run();
    lab.check(driver.read(handle) === 7, "the page is not the driver's any more");
    driver.close();
    lab.outcome(`${one.result}, ${other.result}`);
  },
);

const isolatorAndFree: Scenario = scenario(
  "a page that is freed is isolated before that, or not at all",
  function* (lab): Blocking<void> {
    const { machine, driver, handle, page } = scene(lab);
    const isolator = lab.task("isolator", isolate(machine, page));
    const user = lab.task("user", driver.free(handle));
    lab.reachable("the last reference is the isolator's, who has not isolated it", () => {
      return machine.mem.refcount[page] === 1 && !testFlag(machine.mem, page, PG.isolated);
    });
    yield* lab.run();
    driver.close();
    lab.outcome(`${isolator.result}, ${user.result}`);
  },
);

const stories: readonly Scenario[] = [twoIsolators, isolatorAndFree];

export default stories;
