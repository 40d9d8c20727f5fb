/**
 * 2011, 486cf46f3f9b: mremap moves an entry from where the walk has yet to look to where it has.
 *
 * mremap() gives memory a second VMA at the new place and moves the page table entries there. The
 * reverse map has both, in the order of a list. A move of a page walks that list to take its
 * migration entries away. Where the new place comes first, or is not there yet, it can miss:
 *
 *     mover                                     process
 *     puts a migration entry at the old place
 *     copies; looks at the new place:
 *     nothing there
 *                                               moves the entry from the old place to the new
 *     looks at the old place: nothing there
 *     unlocks the page, done
 *
 * The entry stays for ever, and the process's next use of the page finds a migration entry of a
 * page that is not locked.
 *
 * A merge of VMAs could turn the order of the list round. Since then mremap takes the reverse map's
 * lock where the order is not the right one, and otherwise counts on it: first the old place, then
 * the new, both known before the first entry moves.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser } from "../src/vm/fault.ts";
import { MREMAP, mremap } from "../src/vm/mremap.ts";
import { NO_ENTRY } from "../src/vm/page-tables.ts";
import { PTE_MIGRATION } from "../src/vm/pte.ts";
import { anonymousPage } from "../src/vm/small-vm.ts";

const story: Scenario = scenario(
  "no migration entry is left where mremap moved it",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm } = machine;
    const { mm, vpn, folio } = anonymousPage(vm, 7);
    const newVpn = 0x800;
    const flags = MREMAP.mayMove | MREMAP.fixed;
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("process", mremap(vm, mm, { vpn, oldPages: 1, newPages: 1, flags, newVpn }));
    lab.reachable("a migration entry has moved", () => {
      const entry = mm.directory.find(newVpn);
      return entry !== NO_ENTRY && (vm.tables.bits(entry) & PTE_MIGRATION) !== 0;
    });
    yield* lab.run();
    const read = yield* readUser(vm, mm, newVpn, 0);
    lab.check(read === 7, "the contents are lost:", read);
    lab.outcome(mover.result);
  },
);

export default story;
