/** Pages with requests against the VM: one is written to and committed while it is moved. */
import { moveFolioOnce, type Scenario, scenario } from "godwit/lab";
import { type Blocking, filemapGetFolio, folioPut, lruAddDrainAll } from "godwit/steps";
import { ServedFile } from "./private-state.ts";

const commitMeetsMove: Scenario = scenario(
  "the server gets what was written, wherever the page is",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { mem } = machine;
    const file = new ServedFile(machine, 1);
    yield* file.write(0, 1);
    const folio = yield* filemapGetFolio(mem, file.mapping, 0);
    if (folio === null) throw new Error("what was written is in the cache");
    folioPut(mem, folio);
    lruAddDrainAll(mem);

    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("user", function* (): Blocking<void> {
      yield* file.write(0, 2);
      yield* file.commit();
      lab.check(file.server[0] === 2, "the server has:", file.server[0]);
    });
    lab.reachable("the user waits for a page that moves", () => mem.waiters.has(folio));
    yield* lab.run();
    lab.outcome(mover.result);
  },
);

export default commitMeetsMove;
