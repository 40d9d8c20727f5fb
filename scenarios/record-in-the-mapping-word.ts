/**
 * 2023, d1adb25df711 by memory: what the mover notes down looks like the owner of a page.
 *
 * From 6.3 on a move has two halves, and between them it must remember which anon_vma it holds.
 * There is a new page that nobody uses yet, and the note went to its mapping word, which looked
 * free. But that word says whose page it is, and not all who read it come by way of an owner. Who
 * walks over memory frame by frame has neither a lock nor a reference:
 *
 *     mover                                     scanner
 *     notes the anon_vma in the mapping word
 *     of the new page
 *                                               comes to the new page: a file's, by its word
 *                                               calls an operation of that file
 *
 * There is no such file: what is read there as a table of functions is an anon_vma.
 *
 * Since then the note is in the private word, which means nothing to others. A new page must look
 * like what it is: nobody's.
 */
import { PROFILES } from "../src/base/profile.ts";
import { type Lab, moveFolio, type Scenario, scenario } from "../src/lab/index.ts";
import type { Machine } from "../src/machine/machine.ts";
import type { Folio } from "../src/memory/memmap.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { anonymousPage } from "../src/vm/small-vm.ts";

/** Looks at every frame; returns how many new pages it saw that wait for their contents. */
function* scan(lab: Lab, { vm, mem }: Machine): Blocking<number> {
  yield "scanner-begins";
  let waiting = 0;
  for (let pfn = 1; pfn < mem.pageCount; pfn++) {
    const page = pfn as Folio;
    const file = vm.cache.folioMapping(page);
    const isKnown = file === null || file.folios.load(mem.index[page]) === page;
    lab.check(isKnown, "a page that its file does not know:", page);
    if (mem.refcount[page] === 1 && mem.private[page] !== 0) waiting++;
  }
  return waiting;
}

const story: Scenario = scenario(
  "a new page is nobody's until it is somebody's",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm, mem } = machine;
    mem.profile = PROFILES["6.3"];
    vm.cache.createMapping("a file", {});
    const { folio } = anonymousPage(vm, 7);
    const mover = lab.task("mover", moveFolio(machine, folio));
    const scanner = lab.task("scanner", scan(lab, machine));
    lab.reachable(
      "a new page is scanned",
      () => scanner.state === "finished" && scanner.result > 0,
    );
    yield* lab.run();
    lab.outcome(mover.result);
  },
);

export default story;
