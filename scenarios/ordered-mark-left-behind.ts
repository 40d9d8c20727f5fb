/**
 * 2019, the callback of btrfs (f8e66081, by memory): the mark of an ordered extent stays behind.
 *
 * btrfs counts how much of an extent has still to reach the disk, and marks each page of it as
 * "ordered". When the I/O of a page ends, its mark is taken off and its bytes are counted; a page
 * without the mark was counted already. The callback for migration moved what belongs to a page,
 * and this mark, which no other filesystem has, it did not know:
 *
 *     writer                                    mover
 *     marks the page as ordered
 *                                               moves it; the new page has no mark
 *     the I/O ends: no mark, so the bytes
 *     are taken for counted
 *     waits for the rest of the extent
 *
 * The rest never comes. The extent stays open for ever, with its locks and its reserved space.
 *
 * Since then the callback takes the mark along.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { cachedFolio } from "../src/vm/small-vm.ts";
import { OrderedFile } from "./shared/ordered-file.ts";

const story: Scenario = scenario(
  "an extent is over once all of it is written",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const owner = new OrderedFile(machine);
    const page = cachedFolio(machine.vm, owner.file, 0, 7);
    const mover = lab.task("mover", moveFolioOnce(machine, page));
    lab.task("writer", owner.writeBack());
    lab.reachable("the page moves while it is ordered", () => {
      return owner.bytesLeft > 0 && owner.file.folios.load(0) !== page;
    });
    yield* lab.run();
    lab.outcome(mover.result);
  },
);

export default story;
