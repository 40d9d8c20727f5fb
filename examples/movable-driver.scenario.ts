/** The driver against the VM: a user writes to a page, and frees another, while they are moved. */
import { type Lab, movePage, type Scenario, scenario } from "godwit/lab";
import type { Blocking } from "godwit/steps";
import { Driver } from "./movable-driver.ts";

/** What the tasks share: a driver with one page that holds 1, and a move of that page. */
function scene(lab: Lab): { driver: Driver; handle: number; move: Blocking<string> } {
  const machine = lab.machine();
  const driver = new Driver(machine);
  const handle = driver.add(1);
  return { driver, handle, move: movePage(machine, driver.pageOf(handle)) };
}

const writeMeetsMove: Scenario = scenario(
  "a write by handle is found there after the page has moved",
  function* (lab): Blocking<void> {
    const { driver, handle, move } = scene(lab);
    const mover = lab.task("mover", move);
    lab.task("user", driver.write(handle, 2));
    lab.reachable("the page is isolated", () => driver.isolated === 1);
    yield* lab.run();
    lab.check((yield* driver.read(handle)) === 2, "the write is lost");
    lab.check(driver.isolated === 0, "pages left isolated:", driver.isolated);
    lab.outcome(mover.result);
    yield* driver.free(handle);
  },
);

const freeMeetsMove: Scenario = scenario(
  "a page that is freed while the VM has it is freed once",
  function* (lab): Blocking<void> {
    const { driver, handle, move } = scene(lab);
    const mover = lab.task("mover", move);
    lab.task("user", driver.free(handle));
    yield* lab.run();
    lab.check(driver.isolated === 0, "pages left isolated:", driver.isolated);
    lab.outcome(mover.result);
  },
);

const scenarios: readonly Scenario[] = [writeMeetsMove, freeMeetsMove];

export default scenarios;
