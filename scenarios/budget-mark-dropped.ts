/**
 * 2016, 4ac1c17b2044: the mark that a page's space is paid for is lost on the way.
 *
 * UBIFS reserves space on the flash for a page when it is first written to, and marks the page; the
 * write to the flash gives the reservation back and takes the mark off. It had no callback of its
 * own, so its pages moved by the way for all others, which knows nothing of that mark:
 *
 *     writer                                    mover
 *     reserves space, marks the page
 *                                               moves the page; the mark is gone
 *     writes it out: no mark, so there is
 *     nothing to give back
 *
 * The space stays reserved, and in the end the file system is full of nothing. Written to once
 * more, the page is paid for twice.
 *
 * Since then the callback of UBIFS takes the mark along.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { cachedFolio } from "../src/vm/small-vm.ts";
import { BudgetedFile } from "./shared/budgeted-file.ts";

const story: Scenario = scenario(
  "space that was reserved is given back",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const owner = new BudgetedFile(machine);
    const page = cachedFolio(machine.vm, owner.file, 0, 1);
    const mover = lab.task("mover", moveFolioOnce(machine, page));
    lab.task("writer", owner.writeAndSync(7));
    lab.reachable("the page moves while its space is reserved", () => {
      return owner.reservedPages > 0 && owner.file.folios.load(0) !== page;
    });
    yield* lab.run();
    lab.check(owner.reservedPages === 0, "space stays reserved, pages:", owner.reservedPages);
    lab.outcome(mover.result);
  },
);

export default story;
