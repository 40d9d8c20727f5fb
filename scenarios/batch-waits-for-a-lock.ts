/**
 * 2023, fb3592c41a44 and the rest of its series: a move that holds many locks waits for one more.
 *
 * From 6.3 on pages are moved in batches: all of a batch are locked and unmapped, one flush serves
 * them all, and then they are moved. A synchronous caller waits for locks that others have. But
 * others may want what it holds already:
 *
 *     mover                                     loop device
 *                                               has page 2 of its file locked, to write it
 *     locks and unmaps page 1
 *     waits for page 2
 *                                               needs page 1 of the same file
 *
 * Neither goes on. It was seen with a loop device, whose worker writes the pages of one file system
 * to a file of another.
 *
 * Since then a batch is always moved by the rules of mode ASYNC, which waits for nothing; what is
 * left after that is taken one page at a time, and one lock at a time may be waited for.
 */
import { PROFILES } from "../src/base/profile.ts";
import { moveFolios, type Scenario, scenario } from "../src/lab/index.ts";
import { folioLock, folioUnlock } from "../src/memory/folio-lock.ts";
import { folioGet, folioPut } from "../src/memory/folio-ref.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import { filemapMigrateFolio } from "../src/migrate/callbacks.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { cachedFolio } from "../src/vm/small-vm.ts";

const story: Scenario = scenario(
  "a batch waits for no lock while it holds another",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm, mem } = machine;
    mem.profile = PROFILES["6.3"];
    const file = vm.cache.createMapping("a file", { migrateFolio: filemapMigrateFolio });
    const [first, second] = [0, 1].map((offset) => cachedFolio(vm, file, offset, 7));
    for (const folio of [first, second]) folioGet(mem, folio);
    function* writeBoth(): Blocking<void> {
      yield* folioLock(mem, second);
      yield* folioLock(mem, first);
      for (const folio of [first, second]) {
        folioUnlock(mem, folio);
        folioPut(mem, folio);
      }
    }
    const mover = lab.task("mover", moveFolios(machine, [first, second]));
    lab.task("loop device", writeBoth());
    lab.reachable("each has one of the locks", () => {
      const isOurs = mem.waiters.has(first) && testFlag(mem, second, PG.locked);
      return isOurs && testFlag(mem, first, PG.locked);
    });
    yield* lab.run();
    lab.outcome(`${mover.result.moved} moved`);
  },
);

export default story;
