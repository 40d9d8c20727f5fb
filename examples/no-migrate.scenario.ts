/** An owner without `migrateFolio`: its dirty page is moved, and so written, while a user syncs. */
import { moveFolioOnce, type Scenario, scenario } from "godwit/lab";
import {
  type Blocking,
  filemapGetFolio,
  folioPut,
  lruAddDrainAll,
  MemoryDevice,
  PG,
  SlowDevice,
  testFlag,
} from "godwit/steps";
import { UnmovedFile } from "./no-migrate.ts";

const syncMeetsMove: Scenario = scenario(
  "a sync waits for what a move has begun to write",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { mem } = machine;
    const disk = new MemoryDevice(mem);
    const slowness = { latencyMin: 1, latencyMax: 1, errorProbability: 0, seed: 1 };
    const file = new UnmovedFile(machine, new SlowDevice(disk, machine.clock, slowness));
    yield* file.write(0, 1);
    const folio = yield* filemapGetFolio(mem, file.mapping, 0);
    if (folio === null) throw new Error("what was written is in the cache");
    folioPut(mem, folio);
    lruAddDrainAll(mem);

    const mover = lab.task("mover", function* (): Blocking<string> {
      const first = yield* moveFolioOnce(machine, folio);
      const second = yield* moveFolioOnce(machine, folio);
      return `${first}, then ${second}`;
    });
    lab.task("user", function* (): Blocking<void> {
      yield* file.sync();
      lab.check(disk.readWord(0) === 1, "after a sync the device has:", disk.readWord(0));
    });
    lab.reachable("the page is written out", () => testFlag(mem, folio, PG.writeback));
    yield* lab.run();

    lab.check((yield* file.read(0)) === 1, "the cache has another word");
    lab.outcome(mover.result);
  },
);

export default syncMeetsMove;
