/**
 * 2019, cb6acd01e2e4: a new huge page is taken to be moved before it is mapped.
 *
 * A page of a pool of huge pages carries a mark while it is in use and may be moved; who clears the
 * mark has the page for a move, alone. The fault that gets a page from the pool set the mark as
 * soon as it had the page, and mapped it later. In between it looks like any page in use:
 *
 *     process                                   mover
 *     faults: gets a huge page, marks it
 *                                               clears the mark: the page is its own to move
 *     maps the page, the fault is over
 *
 * What the mover has taken was not yet in anyone's page tables, nor in its file. It was moved away
 * in the middle of the fault, and the process mapped the page that was left. For a file's page the
 * charge to its mount's limit got lost as well: until the mount could not be taken down any more.
 *
 * Since then the mark is set last, when the page is mapped.
 */
import { type Lab, type Scenario, scenario } from "../src/lab/index.ts";
import type { Machine } from "../src/machine/machine.ts";
import type { Folio } from "../src/memory/memmap.ts";
import { putbackMovablePages } from "../src/migrate/putback.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser, writeUser } from "../src/vm/fault.ts";
import { HPG, testHugetlbBit } from "../src/vm/hugetlb/folio-state.ts";
import { folioIsolateHugetlb } from "../src/vm/hugetlb/isolate.ts";
import { hugetlbShape, mapHuge, smallPool } from "../src/vm/hugetlb/small-hugetlb.ts";

/** Takes the page for a move, and gives it back. */
function* take(lab: Lab, { vm, mem }: Machine, folio: Folio): Blocking<string> {
  const list = mem.takeList();
  const outcome = folioIsolateHugetlb(vm, folio, list);
  yield "mover-has-it";
  if (outcome === "isolated") {
    const isTwice = testHugetlbBit(mem, folio, HPG.migratable);
    lab.check(!isTwice, "a page that is taken can be taken again");
    lab.check(mem.mapping[folio] !== 0, "a page was taken that nobody maps yet");
    yield* putbackMovablePages(vm, list);
  }
  mem.releaseList(list);
  return outcome;
}

const story: Scenario = scenario(
  "a huge page can be taken once its fault is over",
  function* (lab): Blocking<void> {
    const machine = lab.machine(hugetlbShape(1, 3));
    const { vm, mem } = machine;
    const hstate = smallPool(vm, [2]);
    const mm = vm.createMm("a process");
    const { startVpn } = mapHuge(vm, mm, 1);
    // The pool's first free page is the one that the process will get.
    const folio = mem.next[hstate.freeLists[0]] as Folio;
    lab.task("process", writeUser(vm, mm, startVpn, 0, 7));
    const mover = lab.task("mover", take(lab, machine, folio));
    lab.reachable("the page is in use and not yet to be taken", () => {
      return mem.refcount[folio] > 0 && !testHugetlbBit(mem, folio, HPG.migratable);
    });
    yield* lab.run();
    const read = yield* readUser(vm, mm, startVpn, 0);
    lab.check(read === 7, "the write is lost:", read);
    lab.outcome(mover.result);
  },
);

export default story;
