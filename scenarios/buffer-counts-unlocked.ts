/**
 * 2019, ebdf4de5642f: the counts of a device's buffers are looked at, then the lock is given up.
 *
 * Blocks of a block device are used by who has but a count on a buffer: neither the folio's lock
 * nor a reference to it. So the callback for devices takes private_lock, under which buffers are
 * looked up, and sees that no buffer of the page has a count. Then it gave the lock up, and only
 * after that swapped the page in the cache:
 *
 *     mover                                     filesystem
 *     locks the buffers, takes private_lock
 *     sees that every count is 0
 *     gives private_lock up
 *                                               finds the block, takes a count and the address
 *     swaps, moves the ring, copies
 *                                               sets a bit of a bitmap, in the old page
 *     frees the old page
 *
 * The lookup's own reference to the folio is gone again by the time of the swap, so the folio's
 * count says nothing. The bit is lost, and what was written may hit the frame's next user. It came
 * back years later, in 2025, as directories without their ".".
 *
 * Since then private_lock is held from the look at the counts until the bytes are there.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { bufferMigrateFolioNorefs } from "../src/migrate/buffer-callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BlockDevicePage, writeBlock } from "./shared/block-device-page.ts";

const story: Scenario = scenario(
  "a write to a device's block is never lost",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const page = new BlockDevicePage(machine, bufferMigrateFolioNorefs);
    const mover = lab.task("mover", moveFolioOnce(machine, page.folio));
    lab.task("filesystem", writeBlock(page, 7));
    lab.reachable("the block is held during the move", () => page.isMoving && page.isHeld);
    yield* lab.run();
    lab.check(page.word === 7, "the write is lost:", page.word);
    lab.outcome(mover.result);
  },
);

export default story;
