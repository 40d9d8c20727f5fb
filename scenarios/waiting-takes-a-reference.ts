/**
 * ea8d8fdcd518: who waits for a move to end keeps it from succeeding.
 *
 * A fault that meets a migration entry sleeps until the move is over. To sleep on a page's lock it
 * used to take a reference to the page. But a page moves only if nobody holds a reference beyond
 * those that are expected:
 *
 *     mover                                     threads of the process
 *     unmaps
 *                                               each meets the migration entry,
 *                                               takes a reference, sleeps for the lock
 *     compares the count: too many
 *     maps the page again, unlocks
 *                                               wake up, drop their references
 *     ... and so ten times
 *
 * With many threads at work on the page there is always one that waits: the page never moves, and
 * all of them have slept for nothing.
 *
 * Since then a waiter takes none: the entry proves that the page is there, and once the lock is
 * given up the waiter does not look at the page again, but at the entry.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser } from "../src/vm/fault.ts";
import { anonymousPage } from "../src/vm/small-vm.ts";

const story: Scenario = scenario(
  "a page that is waited for moves at the first try",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm, mem } = machine;
    const { mm, vpn, folio } = anonymousPage(vm, 7);
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    const reader = lab.task("reader", readUser(vm, mm, vpn, 0));
    lab.reachable("somebody waits for the move", () => testFlag(mem, folio, PG.waiters));
    yield* lab.run();
    lab.check(mover.result === "moved", "the page did not move:", mover.result);
    lab.check(reader.result === 7, "the contents are lost");
    lab.outcome(mover.result);
  },
);

export default story;
