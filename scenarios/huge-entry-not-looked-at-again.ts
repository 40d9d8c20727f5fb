/**
 * 2013, 3f926ab945b6: a fault waits for a huge page to move, and then maps the old one.
 *
 * A write fault finds a huge entry that must change, and the page behind it locked, by a mover. It
 * waits. What it knows of the entry is from before, and by now the entry names the new page:
 *
 *     mover                                     process
 *     locks the page
 *                                               finds the entry, write-protected
 *                                               the page is locked: waits for that
 *     unmaps, copies, maps the new page
 *     unlocks, frees the old page
 *                                               makes the entry it remembers writable,
 *                                               and with it maps the old page again
 *
 * The process goes on with a page that is free, and soon somebody else's. It was seen between the
 * fault of one thread that moves a page to its node and that of another that clears the mark which
 * the first fault was about.
 *
 * Since then who has waited looks at the entry again, under the lock of the page table.
 */
import { assert } from "../src/base/assert.ts";
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { testFlag } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser, writeUser } from "../src/vm/fault.ts";
import { forkMm } from "../src/vm/fork.ts";
import { hugePage } from "../src/vm/small-vm.ts";
import { exitMm } from "../src/vm/zap.ts";

const story: Scenario = scenario(
  "a fault that waited maps what is there then",
  function* (lab): Blocking<void> {
    const machine = lab.machine({ pageCount: 2048 });
    const { vm, mem } = machine;
    const { mm, vpn, folio } = hugePage(vm, 1);
    // Write-protected by a fork; the child has gone since.
    const child = forkMm(vm, mm, "child");
    assert(child !== null, "no memory for a child");
    yield* exitMm(vm, child);
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("process", writeUser(vm, mm, vpn, 0, 7));
    lab.reachable("the process waits for the mover", () => testFlag(mem, folio, PG.waiters));
    yield* lab.run();
    lab.check((yield* readUser(vm, mm, vpn, 0)) === 7, "the write is lost");
    lab.outcome(mover.result);
  },
);

export default story;
