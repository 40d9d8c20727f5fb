/**
 * 2022, 5117b3b8: KSM takes a page that is moving for one that is gone.
 *
 * A process takes memory back from KSM (MADV_UNMERGEABLE): each merged page of it is to be replaced
 * by a copy of its own. `break_ksm()` looks each page up, and where it finds none there is nothing
 * to do. It found none where there was a migration entry:
 *
 *     mover                                     process
 *     unmaps a merged page
 *                                               MADV_UNMERGEABLE: no page here, goes on
 *                                               the memory counts as KSM's no longer
 *     maps the new page: merged as ever
 *
 * A merged page is left in memory that KSM knows nothing of any more, and shared with strangers.
 *
 * Since then `break_ksm()` asks for migration entries too, and waits for the move to end.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import { folioTestKsm } from "../src/memory/mapping-word.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { madviseUnmergeable } from "../src/vm/ksm/madvise.ts";
import { folioAt, mergedPages } from "../src/vm/ksm/small-ksm.ts";
import { VM } from "../src/vm/mm.ts";
import { PTE_MIGRATION } from "../src/vm/pte.ts";

const story: Scenario = scenario(
  "no merged page is left where KSM has been sent away",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm, mem } = machine;
    const [{ mm, vma, vpn, folio, entry }] = mergedPages(vm, 5, 2);
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("process", madviseUnmergeable(vm, mm, vpn, vpn + 1));
    lab.reachable("KSM is sent away during the move", () => {
      return (vma.flags & VM.mergeable) === 0 && (vm.tables.bits(entry) & PTE_MIGRATION) !== 0;
    });
    yield* lab.run();
    const now = folioAt(vm, mm.vmaAt(vpn) ?? vma, vpn);
    lab.check(!folioTestKsm(mem, now), "a merged page is left:", now);
    lab.outcome(mover.result);
  },
);

export default story;
