/**
 * 2010, a8bef8ff6ea1: the stack of a new program is moved away from under a move of its pages.
 *
 * exec() writes a program's arguments to a temporary stack, and then slides that down to where it
 * will stay. The VMA says the new place at once; the page table entries follow. In between the
 * reverse map looks for the pages where they are not yet:
 *
 *     mover                                     exec
 *     puts a migration entry at the old place
 *                                               the VMA says the new place
 *     copies; looks for the entry at the
 *     new place: nothing there
 *     unlocks the page, done
 *                                               moves the entry along
 *
 * A migration entry is left that nobody will ever take away. Whoever meets it waits for a page that
 * is not locked, and a check in the kernel stopped the machine there (BUG_ON).
 *
 * Since then migration leaves temporary stacks alone.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { createArgStack, setupArgPages } from "../src/vm/exec-stack.ts";
import { readUser } from "../src/vm/fault.ts";
import { PTE_NONE } from "../src/vm/pte.ts";
import { touchPage } from "../src/vm/small-vm.ts";

const story: Scenario = scenario(
  "no migration entry stays in a stack that exec moved",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm } = machine;
    const mm = vm.createMm("a new program");
    const stack = createArgStack(vm, mm, 0x603, 0x604);
    const { folio, entry } = touchPage(vm, stack, 0x603, 7);
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("exec", setupArgPages(vm, stack, 3));
    lab.reachable("the VMA is ahead of its entries", () => {
      return stack.startVpn === 0x600 && vm.tables.bits(entry) !== PTE_NONE;
    });
    yield* lab.run();
    const read = yield* readUser(vm, mm, 0x600, 0);
    lab.check(read === 7, "the arguments are lost:", read);
    lab.outcome(mover.result);
  },
);

export default story;
