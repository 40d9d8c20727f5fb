/**
 * 2013, 20841405940e: an entry that nobody may use is taken for one that no TLB has.
 *
 * `change_protection_range()` takes rights away from many entries and flushes the TLBs once, at the
 * end. In between an entry says PROT_NONE while some processor still has the old translation. The
 * code that takes an entry out of the page tables saves the flush for entries which cannot have
 * been loaded into a TLB, and PROT_NONE was one of those reasons:
 *
 *     process, on two processors                mover
 *     A: has a writable translation
 *     B: makes the entry PROT_NONE,
 *        the flush is still to come
 *                                               clears the entry: PROT_NONE, so no flush
 *                                               copies the page
 *     A: stores, by its translation,
 *        into the old page
 *     B: flushes
 *                                               maps the new page
 *
 * The store is lost. It was met with automatic NUMA balancing, which makes entries PROT_NONE to see
 * who uses them, and moves pages by what it sees.
 *
 * Since then a process says that a flush is pending, and such an entry is flushed like any other.
 */
import { moveFolioOnce, type Scenario, scenario } from "../src/lab/index.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser, writeUser } from "../src/vm/fault.ts";
import { VM } from "../src/vm/mm.ts";
import { protectRange } from "../src/vm/protect.ts";
import { anonymousPage } from "../src/vm/small-vm.ts";
import { Tlbs } from "../src/vm/tlb.ts";

const story: Scenario = scenario(
  "no store by a TLB goes to a page after its copy",
  function* (lab): Blocking<void> {
    const machine = lab.machine();
    const { vm, mem } = machine;
    vm.tlbs = new Tlbs(mem.cpuCount);
    const { mm, vpn, folio } = anonymousPage(vm, 1);
    // The page is dirty by now, and the translation one to write by.
    yield* writeUser(vm, mm, vpn, 0, 1);
    const mover = lab.task("mover", moveFolioOnce(machine, folio));
    const store = lab.task("processor A", writeUser(vm, mm, vpn, 0, 2));
    lab.task("processor B", protectRange(vm, mm, vpn, vpn + 1, 0));
    lab.reachable(
      "the page has moved before the flush",
      () => mm.mmapLock.held && mem.mapping[folio] === 0,
    );
    yield* lab.run();
    yield* protectRange(vm, mm, vpn, vpn + 1, VM.read | VM.write);
    const read = yield* readUser(vm, mm, vpn, 0);
    lab.check(read === (store.result === "done" ? 2 : 1), "a store is lost:", read, store.result);
    lab.outcome(`${mover.result}, store: ${store.result}`);
  },
);

export default story;
