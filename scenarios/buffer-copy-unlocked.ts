/**
 * 2025: the copy of a large folio sleeps under private_lock, and the lock cannot just be dropped.
 *
 * Since 2019 (`buffer-counts-unlocked`) private_lock was held from the look at the counts until the
 * bytes were there. For a page of 4 KiB that is short. Then block devices got large folios, and
 * the copy of one gives way to other tasks between its pages, which under a spin lock it must not.
 * To give the lock up for the copy looks harmless, as every buffer is locked and the ring points
 * at the new folio by then. But who looks a block up takes no buffer lock:
 *
 *     mover                                     filesystem
 *     swaps, moves the ring
 *     gives private_lock up to copy
 *                                               finds the block, in the new folio, takes a count
 *                                               sets a bit there
 *     copies the old bytes over it
 *
 * The lock is indeed given up since; but first the ring is marked as moving (BH_Migrate), and a
 * lookup that finds the mark takes no count.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { bufferMigrateFolioNorefs } from "../src/migrate/buffer-callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BlockDevicePage, writeBlock } from "./shared/block-device-page.ts";

const story: Scenario = scenario(
  "a write to a block that has moved ahead of its bytes is not lost",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const page = new BlockDevicePage(machine, bufferMigrateFolioNorefs);
    const mover = lab.task("mover", moveFolioOnce(machine, page.folio));
    lab.task("filesystem", writeBlock(page, 7));
    lab.reachable("the ring has moved, the folio is locked", () => {
      return page.isMoving && page.ring[0].folio !== page.folio;
    });
    yield* lab.run();
    lab.check(page.word === 7, "the write is lost:", page.word);
    lab.outcome(mover.result);
  },
);

export default story;
