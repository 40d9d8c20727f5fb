/**
 * 2005, the first series: the mover sleeps for a buffer while it holds a spin lock.
 *
 * The first callback for pages with buffers, `buffer_migrate_page()` of the direct migration
 * patches on 2.6.15-rc1-mm2, took private_lock for its whole work, and under it the lock of each
 * buffer: a lock that is held during I/O, and that is slept for. Whoever wants private_lock spins
 * meanwhile, and if that is the one who has the buffer, both wait for ever:
 *
 *     journal                                   mover
 *     finds a block, locks its buffer
 *                                               takes private_lock
 *                                               sleeps for the buffer
 *     looks another block up: spins for
 *     private_lock
 *
 * The weak point stands in the series as it was posted. The callbacks of today take the buffers'
 * locks first; private_lock, where it is wanted at all, comes last, and nothing sleeps under it.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { bufferMigrateFolio } from "../src/migrate/buffer-callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BlockDevicePage, writeBlockLocked } from "./shared/block-device-page.ts";

const story: Scenario = scenario(
  "a move and a journal never wait for each other",
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
