/**
 * 2007, dc386d4d1e98: the reverse map's root is freed between the two halves of a move.
 *
 * An anonymous page finds its mappings by way of an anon_vma. That lives as long as some VMA names
 * it, or somebody holds it. Between unmapping and mapping again no page table maps the page, and
 * the process can give its memory up:
 *
 *     mover                                     process
 *     unmaps: no entry maps the page
 *                                               munmap(): its VMA goes, and as nobody else
 *                                               names it, the anon_vma with it
 *     copies
 *     walks the anon_vma's VMAs
 *
 * The walk goes through memory that is free, or something else by now: a crash, or worse.
 *
 * Since then a move holds the anon_vma, from before the first entry goes until the last is back.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { anonymousPage } from "../src/vm/small-vm.ts";
import { unmapRange } from "../src/vm/zap.ts";

const story: Scenario = scenario(
  "the reverse map stays as long as a move needs it",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm } = machine;
    const { mm, vpn, vma, folio } = anonymousPage(vm, 7);
    const { anonVma } = vma;
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    lab.task("process", unmapRange(vm, mm, vpn, vpn + 1));
    lab.reachable("nobody but the mover needs the anon_vma", () => {
      return anonVma !== null && anonVma.vmas.size === 0 && anonVma.refcount > 0;
    });
    yield* lab.run();
    lab.outcome(mover.result);
  },
);

export default story;
