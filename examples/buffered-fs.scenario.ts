/** A buffered file against the VM: it is written to and synced while its page is moved. */
import { moveFolioOnce, type Scenario, scenario } from "godwit/lab";
import {
  type Blocking,
  byteFrames,
  filemapGetFolio,
  folioPut,
  lruAddDrainAll,
  MemoryDevice,
  SlowDevice,
} from "godwit/steps";
import { BufferedFile, FIRST_WORD } from "./buffered-fs.ts";

const syncMeetsMove: Scenario = scenario(
  "after a sync the device has what was written, whether or not the page moved",
  function* (lab): Blocking<void> {
    // With blocks smaller than a page, contents are bytes: a token stands for a whole page.
    const machine = lab.machine({ pageCount: 64, frames: byteFrames(64) });
    const { mem } = machine;
    const disk = new MemoryDevice(mem);
    const slowness = { latencyMin: 1, latencyMax: 1, errorProbability: 0, seed: 1 };
    const file = new BufferedFile(machine, new SlowDevice(disk, machine.clock, slowness));
    yield* file.write(0, 1);
    const folio = yield* filemapGetFolio(mem, file.mapping, 0);
    if (folio === null) throw new Error("what was written is in the cache");
    folioPut(mem, folio);
    lruAddDrainAll(mem);

    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("user", file.sync());
    lab.reachable("a sync waits while the page moves", () => mem.waiters.has(folio));
    yield* lab.run();

    lab.check(disk.readWord(FIRST_WORD) === 1, "the device has:", disk.readWord(FIRST_WORD));
    lab.check((yield* file.read(0)) === 1, "the cache has another word");
    lab.outcome(mover.result);
  },
);

export default syncMeetsMove;
