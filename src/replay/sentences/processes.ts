/** Sentences about processes: children, and pages written before or after a fork. */
import { doPagesMove, type PagesMove } from "../../callers/move-pages/pages-move.ts";
import { userInput, userOutput } from "../../callers/move-pages/user-array.ts";
import { runToEnd } from "../../sched/run.ts";
import { SUID_DUMP } from "../../vm/mm.ts";
import { becomeUser, type Process } from "../../vm/process.ts";
import { PTE } from "../../vm/pte.ts";
import type { CallWorld } from "../call-world.ts";
import { usePages } from "../world-files.ts";
import { numbers, type Sentence, sentence } from "./sentence.ts";

/** What records call the process that a fork of theirs makes. */
const CHILD = "child";

export const PROCESSES: readonly Sentence[] = [
  sentence(
    "^child = fork\\(\\) after that; child reads every page; child stays alive during the call$",
    (world) => void world.fork(CHILD),
  ),
  sentence("^fork$", (world) => void world.fork(CHILD)),
  sentence(
    "^NAME (?<count>\\d+) anon node(?<node>\\d) shared by fork$",
    (world, { name, count, node }) => {
      world.touch(world.map(name, count), Number(node));
      world.fork(CHILD);
    },
  ),
  sentence("^child forked and exited$", (world) => {
    const child = world.fork(CHILD);
    world.exit(child);
    world.machine.processes.reap(child);
  }),
  sentence("^child exited, not reaped$", (world) => world.exit(world.fork("zombie child"))),
  sentence(
    "^child has NAME (?<count>\\d+) anon node(?<node>\\d)$",
    (world, { name, count, node }) => {
      const mm = world.memoryOf(world.createProcess(CHILD));
      world.touch(world.map(name, count, mm), Number(node));
    },
  ),
  sentence(
    "^child in cgroup \\w+ cpuset\\.mems=(?<list>[\\d,]+), " +
      "NAME (?<count>\\d+) anon node(?<node>\\d)$",
    (world, { list, name, count, node }) => {
      const child = world.createProcess("child in cpuset");
      child.cpusetMems = new Set(numbers(list));
      world.touch(world.map(name, count, world.memoryOf(child)), Number(node));
    },
  ),
  sentence(
    "^NAME (?<count>\\d+) anon node(?<node>\\d), caller then joins cpuset mems=(?<list>[\\d,]+) ",
    (world, { name, count, node, list }) => {
      world.touch(world.map(name, count), Number(node));
      joinCpuset(world, numbers(list));
    },
  ),
  sentence("^NAME in root process$", (world, { name }) => {
    world.touch(world.map(name, undefined), 0);
  }),
  sentence("^target PR_SET_DUMPABLE (?<dumpable>[01])$", (world, { dumpable }) => {
    const { mm } = userProcess(world, NOBODY);
    if (mm !== null) mm.dumpable = dumpable === "1" ? SUID_DUMP.user : SUID_DUMP.disable;
  }),
  sentence("^(?:then )?NAME\\[(?<page>\\d+)\\] written$", (world, { name, page }) => {
    write(world, `${name}[${page}]`);
  }),
  sentence("^(?:parent writes|write) (?<list>[\\w\\[\\],]+)$", (world, { list }) => {
    for (const address of list.split(",")) write(world, address);
  }),
  sentence(
    "^(?<list>[A-Z]+\\d*\\[\\d+\\](?:,[A-Z]+\\d*\\[\\d+\\])+) written$",
    (world, { list }) => {
      for (const address of list.split(",")) write(world, address);
    },
  ),
  sentence("^clear_refs=4$", clearSoftDirty),
];

/** The user that records know besides the superuser. */
const NOBODY = 65534;

/** A process of a user with two pages on node 0. */
export function userProcess(world: CallWorld, uid: number): Process {
  const process = world.createProcess("nobody child");
  becomeUser(process, uid);
  world.touch(world.map("CA", "2", world.memoryOf(process)), 0);
  return process;
}

/**
 * The process that records are about joins a cpuset, and its pages go along, as in cgroup v2.
 *
 * Linux's `cpuset_migrate_mm()` moves them by the rules of migrate_pages(2); here they all go to
 * the first node that is allowed.
 */
function joinCpuset(world: CallWorld, mems: readonly number[]): void {
  const { process, self, machine } = world;
  process.cpusetMems = new Set(mems);
  const pages = self.vmas.flatMap(({ startVpn, endVpn }) =>
    Array.from({ length: endVpn - startVpn }, (_, page) => startVpn + page),
  );
  const move: PagesMove = {
    nrPages: pages.length,
    pages: userInput(pages),
    nodes: userInput(pages.map(() => mems[0])),
    status: userOutput(new Int32Array(pages.length)),
    moveAll: true,
  };
  runToEnd(doPagesMove(machine.vm, { mm: self, cpusetMems: null }, move));
}

function write(world: CallWorld, address: string): void {
  const match = /^(\w+)\[(\d+)\]$/.exec(address);
  const { mm, startVpn } = world.region(match?.[1]);
  usePages(world.machine.vm, mm, startVpn + Number(match?.[2]), 1, "write");
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
