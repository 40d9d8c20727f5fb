/**
 * 2022, 2da956523526 by memory: a page moves while a request to the server has still to send it.
 *
 * A server may answer a WRITE before the bytes are on its disk. So the client of a network file
 * system keeps the request, with its page, until a COMMIT has been answered too: if the server was
 * started anew in between, the bytes must be sent once more. The page is not under writeback then,
 * and not dirty; that a request has it is told by its private mark alone:
 *
 *     client                                    mover
 *     WRITE: answered, not yet on disk
 *                                               moves the page, frees the old one
 *     COMMIT: the server was started anew
 *     sends the bytes again, from the page
 *     that the request names: the old one
 *
 * What reaches the server is whatever the old frame holds by now.
 *
 * Since then a page that a request has stays where it is: EBUSY.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { cachedFolio } from "../src/vm/small-vm.ts";
import { NetworkFile } from "./shared/network-file.ts";

const story: Scenario = scenario(
  "the server has what was written, started anew or not",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const owner = new NetworkFile(machine);
    const page = cachedFolio(machine.vm, owner.file, 0, 1);
    const mover = lab.task("mover", moveFolioOnce(machine, page));
    lab.task("client", owner.write(7));
    lab.reachable("a mover has the page of a request", () => {
      return owner.hasRequest && machine.mem.nodes[0].isolatedPages[1] > 0;
    });
    yield* lab.run();
    lab.check(owner.onServer === 7, "the server has other bytes:", owner.onServer);
    lab.outcome(mover.result);
  },
);

export default story;
