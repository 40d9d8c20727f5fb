/**
 * 2012, b969c4ab9f18: a move that must not wait sleeps for a buffer.
 *
 * A process that faults for a huge page compacts memory on the way, and must not be held up: it
 * asks for mode ASYNC. The callback for pages with buffers took no notice and locked each buffer as
 * always. A buffer that is being read from a slow disk kept the fault for seconds:
 *
 *     disk                                      fault, compacting
 *     reads into a buffer, which is locked
 *                                               mode ASYNC: locks the buffer, and sleeps
 *     ... seconds later: unlocks
 *
 * Since then the callbacks are told the mode. In mode ASYNC each buffer's lock is only tried; if
 * one cannot be had those before it are given back, and the page stays.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { bufferMigrateFolio } from "../src/migrate/buffer-callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { BlockDevicePage, readBlock } from "./shared/block-device-page.ts";

const story: Scenario = scenario(
  "a move in mode ASYNC waits for no buffer",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const page = new BlockDevicePage(machine, bufferMigrateFolio);
    const fault = lab.task("fault", moveFolioOnce(machine, page.folio, "async"));
    lab.task("disk", readBlock(page, 7));
    lab.reachable("the disk reads during the move", () => page.isMoving && page.isInUse);
    yield* lab.run();
    lab.check(page.word === 7, "what the disk read is lost:", page.word);
    lab.outcome(fault.result);
  },
);

export default story;
