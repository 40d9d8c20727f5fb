/**
 * cc4f11e69fd0, as far as is remembered of 2018: buffers are locked after the cache has switched.
 *
 * A page with buffers is swapped in the cache, its ring of buffers moves over, and meanwhile all
 * buffers are locked. The order matters: the locks used to come after the switch. Until the mover
 * has them all, which takes as long as the I/O on them, the cache shows a page without its ring:
 *
 *     journal                                   mover
 *     finds a block, locks its buffer
 *                                               switches the cache to the new page
 *                                               sleeps for the buffer
 *     looks another block up: the cache has
 *     the new page, and that has no buffers
 *
 * Who finds no buffers makes new ones: two rings for one page, and what is written by way of the
 * old one is never seen again. And there is no way back for a mover that may not wait.
 *
 * Since then every buffer is locked first; a move that cannot have them all has changed nothing.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { bufferMigrateFolio } from "../src/migrate/buffer-callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BlockDevicePage, writeBlockLocked } from "./shared/block-device-page.ts";

const story: Scenario = scenario(
  "a cached page always has its buffers",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const page = new BlockDevicePage(machine, bufferMigrateFolio);
    const mover = lab.task("mover", moveFolioOnce(machine, page.folio));
    lab.task("journal", writeBlockLocked(page, 7));
    lab.reachable("the buffer is locked during the move", () => page.isMoving && page.isInUse);
    yield* lab.run();
    lab.check(page.word === 7, "the write is lost:", page.word);
    lab.outcome(mover.result);
  },
);

export default story;
