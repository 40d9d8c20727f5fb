/** Sentences about processes: children, and pages written before or after a fork. */
import { runToEnd } from "../../sched/run.ts";
import { userPage } from "../../vm/fault.ts";
import { forkMm } from "../../vm/fork.ts";
import { PTE } from "../../vm/pte.ts";
import { exitMm } from "../../vm/zap.ts";
import type { CallWorld } from "../call-world.ts";
import { type Sentence, sentence } from "./sentence.ts";

export const PROCESSES: readonly Sentence[] = [
  sentence(
    "^child = fork\\(\\) after that; child reads every page; child stays alive during the call$",
    fork,
  ),
  sentence("^fork$", fork),
  sentence(
    "^NAME (?<count>\\d+) anon node(?<node>\\d) shared by fork$",
    (world, { name, count, node }) => {
      world.touch(world.map(name, count), Number(node));
      fork(world);
    },
  ),
  sentence("^child forked and exited$", (world) => {
    fork(world);
    if (world.child !== null) runToEnd(exitMm(world.machine.vm, world.child));
  }),
  sentence(
    "^child has NAME (?<count>\\d+) anon node(?<node>\\d)$",
    (world, { name, count, node }) => {
      world.child = world.machine.vm.createMm("child");
      world.touch(world.map(name, count, world.child), Number(node));
    },
  ),
  sentence("^(?:then )?NAME\\[(?<page>\\d+)\\] written$", (world, { name, page }) => {
    write(world, `${name}[${page}]`);
  }),
  sentence("^(?:parent writes|write) (?<list>[\\w\\[\\],]+)$", (world, { list }) => {
    for (const address of list.split(",")) write(world, address);
  }),
  sentence("^clear_refs=4$", clearSoftDirty),
];

function fork(world: CallWorld): void {
  world.child = forkMm(world.machine.vm, world.self, "child");
}

function write(world: CallWorld, address: string): void {
  const match = /^(\w+)\[(\d+)\]$/.exec(address);
  const { mm, startVpn } = world.region(match?.[1]);
  runToEnd(userPage(world.machine.vm, mm, startVpn + Number(match?.[2]), "write"));
}

/** Pages are told that they were not written since; the next write is noticed. */
function clearSoftDirty(world: CallWorld): void {
  const { tables } = world.machine.vm;
  for (const { mm, startVpn, pages } of world.regions.values()) {
    for (let vpn = startVpn; vpn < startVpn + pages; vpn++) {
      const entry = mm.directory.make(vpn);
      if ((tables.bits(entry) & PTE.present) === 0) continue;
      tables.set(entry, tables.pfn(entry), tables.bits(entry) & ~(PTE.softDirty | PTE.write));
    }
  }
}
