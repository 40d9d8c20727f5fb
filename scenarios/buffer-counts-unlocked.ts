/**
 * 2019, ebdf4de5642f: the counts of a device's buffers are looked at, and the lock is given up.
 *
 * Blocks of a block device are used by who has but a count on a buffer: it holds neither the
 * folio's lock nor a reference to the folio. So `buffer_migrate_page_norefs()` takes private_lock,
 * under which buffers are looked up, and sees that no buffer of the page has a count. Then it gave
 * the lock up, and only after that swapped the page in the cache.
 *
 *     mover                                  filesystem
 *     locks buffers, takes private_lock
 *     sees every count at 0
 *     gives private_lock up
 *                                            finds the block, takes a count, has the address
 *     swaps, moves the ring, copies
 *                                            sets a bit of an inode bitmap, in the old page
 *     frees the old page
 *
 * The bit is lost: two inodes get one place, or a directory loses its ".". The look-up's reference
 * to the page is gone by the time of the swap, so that the page's own count says nothing. It was
 * seen in 2018 on kernels that had just begun to use that callback, and once more in 2025.
 *
 * Fixed in 5.3: private_lock is held from the look at the counts until the bytes are there.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { bufferMigrateFolioNorefs } from "../src/migrate/buffer-callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BlockDevicePage, writeHeldBlock } from "./shared/block-device-page.ts";

const story: Scenario = scenario(
  "a write to a block is never lost",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const page = new BlockDevicePage(machine, bufferMigrateFolioNorefs);
    const mover = lab.task("mover", moveFolioOnce(machine, page.folio));
    lab.task("filesystem", writeHeldBlock(page, 7));
    lab.reachable("the block is held during the move", () => page.isMoving && page.block.count > 0);
    yield* lab.run();
    lab.check(page.word === 7, "the write is lost:", page.word);
    lab.outcome(mover.result);
  },
);

export default story;
