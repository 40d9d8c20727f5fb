/**
 * 2013, 2b4847e73004: a huge page moves while its page table entry stays in use.
 *
 * Automatic NUMA balancing moved transparent huge pages in a way of its own: there were migration
 * entries for single pages only, so the huge entry stayed where it was, and that nobody else held
 * the page was found out by comparing its count once:
 *
 *     mover                                     driver
 *     compares the count: nobody else
 *                                               get_user_pages_fast(): the entry is there,
 *                                               takes a reference
 *     copies, maps the new page
 *                                               its device writes into the old page
 *
 * The process never sees what the device wrote. A count that was compared says nothing a moment
 * later, as long as the page can be found. Either nobody finds it any more, which is what migration
 * entries are for, and these came for huge pages too; or the count is frozen while it is moved.
 */
import { assert } from "../src/base/assert.ts";
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { folioMapped } from "../src/memory/folio.ts";
import { folioMaybeDmaPinned, folioUnpin } from "../src/memory/folio-ref.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser } from "../src/vm/fault.ts";
import { pinUserPage } from "../src/vm/gup.ts";
import { hugePage } from "../src/vm/small-vm.ts";

const story: Scenario = scenario(
  "a device writes to the huge page that its process has",
  function* (lab): Blocking<void> {
    const machine = lab.machine({ pageCount: 2048 });
    const { vm, mem } = machine;
    const { mm, vpn, folio } = hugePage(vm, 1);
    function* device(): Blocking<void> {
      const pinned = yield* pinUserPage(vm, mm, vpn);
      assert(typeof pinned === "number", "the page is there");
      yield "device-at-work";
      mem.frames.writeWord(pinned, 0, 7);
      folioUnpin(mem, pinned);
    }
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("device", device());
    lab.reachable("the old page is unmapped and pinned", () => {
      return !folioMapped(mem, folio) && folioMaybeDmaPinned(mem, folio);
    });
    yield* lab.run();
    lab.check((yield* readUser(vm, mm, vpn, 0)) === 7, "what the device wrote is lost");
    lab.outcome(mover.result);
  },
);

export default story;
