/**
 * What the `setup` lines of call records say, as a table of sentences.
 *
 * A line is tried whole, then clause by clause at its semicolons. One that no sentence fits makes
 * the record one that cannot be replayed; nothing is guessed.
 */
import { InputError } from "../base/input-error.ts";
import { GUP_PIN_COUNTING_BIAS } from "../memory/constants.ts";
import { runToEnd } from "../sched/run.ts";
import { userPage } from "../vm/fault.ts";
import { forkMm } from "../vm/fork.ts";
import { VM } from "../vm/mm.ts";
import { protectVma } from "../vm/protect.ts";
import { PTE } from "../vm/pte.ts";
import { exitMm, unmapRange, zapRange } from "../vm/zap.ts";
import { type CallWorld, type Region, vmaOf } from "./call-world.ts";

/**
 * Does what a line of `setup` says; false if any of it is not known.
 *
 * Throws `InputError` for a line about something that no earlier line made.
 */
export function setUp(world: CallWorld, line: string): boolean {
  return say(world, line) || line.split("; ").every((clause) => say(world, clause));
}

function say(world: CallWorld, clause: string): boolean {
  for (const { sentence, make } of SENTENCES) {
    const match = sentence.exec(clause);
    if (match === null) continue;
    make(world, match.groups ?? {});
    return true;
  }
  return false;
}

interface Sentence {
  readonly sentence: RegExp;
  readonly make: (world: CallWorld, groups: Named) => void;
}

/** An anonymous region, however the records put it. */
const ANONYMOUS = [
  "^NAME = mmap\\((?<count>\\d+) pages, MAP_PRIVATE\\|MAP_ANONYMOUS, RW\\), " +
    "MADV_NOHUGEPAGE, written on node (?<node>\\d) \\(MPOL_BIND while touching",
  "^NAME = (?<count>\\d+) anon pages on node (?<node>\\d)$",
  "^NAME (?:(?<count>\\d+) )?anon(?: pages)? node(?<node>\\d)(?: written by parent)?$",
  "^NAME (?<count>\\d+) pages written on node(?<node>\\d)$",
];

const SENTENCES: readonly Sentence[] = [
  sentence("^(?:0|0x[\\da-f]+)?$", () => {}),
  sentence("^address \\w+\\+\\d+$", () => {}),
  ...ANONYMOUS.map((text) =>
    sentence(text, (world, { name, count, node }) => {
      world.touch(world.map(name, count), Number(node));
    }),
  ),
  sentence("^NAME anon node(?<node>\\d) then MADV_DONTNEED$", (world, { name, node }) => {
    const region = world.map(name, undefined);
    world.touch(region, Number(node));
    drop(world, region, 0, region.pages);
  }),
  sentence(
    "^NAME (?<count>\\d+) anon pages node(?<node>\\d), page (?<page>\\d+) dropped with MADV_DONTNEED$",
    (world, { name, count, node, page }) => {
      const region = world.map(name, count);
      world.touch(region, Number(node));
      drop(world, region, Number(page), Number(page) + 1);
    },
  ),
  sentence(
    "^NAME anon node(?<node>\\d), mprotect\\(PROT_(?<allowed>NONE|READ)\\)$",
    (world, { name, node, allowed }) => {
      const region = world.map(name, undefined);
      world.touch(region, Number(node));
      const vma = vmaOf(region.mm, region.startVpn);
      protectVma(world.machine.vm, vma, allowed === "READ" ? VM.read : 0);
    },
  ),
  sentence("^NAME PROT_NONE untouched$", (world, { name }) => {
    world.map(name, undefined, world.self, 0);
  }),
  sentence("^NAME anon node(?<node>\\d) mlock\\(\\)ed$", (world, { name, node }) => {
    const region = world.map(name, undefined, world.self, VM.read | VM.write | VM.locked);
    world.touch(region, Number(node));
  }),
  sentence(
    "^NAME anon(?:, only read| read-only faulted \\(shared zero page\\))$",
    (world, { name }) => {
      const { mm, startVpn } = world.map(name, undefined);
      runToEnd(userPage(world.machine.vm, mm, startVpn, "read"));
    },
  ),
  sentence(
    "^NAME (?:mapped\\+touched then munmapped|mapped, touched, munmapped)$",
    (world, { name }) => {
      const region = world.map(name, undefined);
      world.touch(region, 0);
      unmapRange(world.machine.vm, region.mm, region.startVpn, region.startVpn + region.pages);
    },
  ),
  sentence(
    "^NAME (?<count>\\d+) anon node(?<node>\\d), \\w+\\[(?<page>\\d+)\\] unmapped$",
    (world, { name, count, node, page }) => {
      const region = world.map(name, count);
      world.touch(region, Number(node));
      unmapPage(world, region, Number(page));
    },
  ),
  sentence("^munmap NAME\\[(?<page>\\d+)\\]$", (world, { name, page }) => {
    unmapPage(world, world.region(name), Number(page));
  }),
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
    if (world.child !== null) exitMm(world.machine.vm, world.child);
  }),
  sentence("^(?:then )?NAME\\[(?<page>\\d+)\\] written$", (world, { name, page }) => {
    write(world, `${name}[${page}]`);
  }),
  sentence("^(?:parent writes|write) (?<list>[\\w\\[\\],]+)$", (world, { list }) => {
    for (const address of list.split(",")) write(world, address);
  }),
  sentence("^clear_refs=4$", clearSoftDirty),
  sentence("^NAME anon never touched$", (world, { name }) => void world.map(name, undefined)),
  sentence("^NAME\\[0\\] written, \\w+\\[1\\] never touched$", (world, { name }) => {
    world.touch(world.map(name, undefined), 0, [0]);
  }),
  sentence(
    "^NAME (?<count>\\d+) pages: (?<list>[\\d,]+) written on node(?<node>\\d)$",
    (world, { name, count, list, node }) => {
      world.touch(world.map(name, count), Number(node), numbers(list));
    },
  ),
  sentence("^(?<list>[\\d,]+) written on node(?<node>\\d)$", (world, { list, node }) => {
    world.touch(current(world), Number(node), numbers(list));
  }),
  sentence("^(?<page>\\d+) unmapped$", (world, { page }) => {
    unmapPage(world, current(world), Number(page));
  }),
  sentence("^\\d+ untouched$", () => {}),
  sentence("^(?<page>\\d+) zero page$", (world, { page }) => {
    const { mm, startVpn } = current(world);
    runToEnd(userPage(world.machine.vm, mm, startVpn + Number(page), "read"));
  }),
  sentence(
    "^child has NAME (?<count>\\d+) anon node(?<node>\\d)$",
    (world, { name, count, node }) => {
      world.child = world.machine.vm.createMm("child");
      world.touch(world.map(name, count, world.child), Number(node));
    },
  ),
  sentence(
    "^(?:(?:io_uring_register|pin|REGISTER_BUFFERS)[ (]+(?:REGISTER_BUFFERS, )?)" +
      "NAME\\[(?<page>\\d+)\\]\\)? ?(?:=0|= 0|\\(=0\\))(?: \\(io_uring fd \\d\\))?$",
    (world, { name, page }) => {
      world.hold(world.folioAt(name, Number(page)), GUP_PIN_COUNTING_BIAS);
    },
  ),
  sentence(
    "^vmsplice\\(NAME\\[(?<from>\\d+)\\.\\.(?<to>\\d+)\\]\\) = \\d+$",
    (world, { name, from, to }) => {
      for (let at = Number(from); at <= Number(to); at++) world.hold(world.folioAt(name, at), 1);
    },
  ),
  sentence(
    "^NAME (?<count>\\d+) pages MAP_SHARED\\|MAP_ANONYMOUS written on node(?<node>\\d)$",
    (world, { name, count, node }) => void world.mapShmem(name, count, Number(node)),
  ),
  sentence(
    "^/tmp \\(tmpfs\\) file of (?<count>\\d+) pages written on node(?<node>\\d) with pwrite$",
    (world, { count, node }) => void world.mapShmem(world.onlyName, count, Number(node)),
  ),
  sentence("^(?:mmap MAP_SHARED RW|each page read)$", () => {}),
  sentence("^memfd (?<count>\\d+) pages node(?<node>\\d) mapped$", (world, { count, node }) => {
    world.mapShmem(world.onlyName, count, Number(node));
  }),
  sentence("^splice\\((?<count>\\d+) pages to pipe\\) = \\d+$", (world, { count }) => {
    for (let at = 0; at < Number(count); at++) world.hold(world.folioAt(world.onlyName, at), 1);
  }),
  sentence(
    "^memfd (?<count>\\d+) pages on node(?<node>\\d) mapped at M1 and M2, both touched$",
    (world, { count, node }) => {
      const mapping = world.mapShmem("M1", count, Number(node));
      world.mapFile("M2", mapping, Number(count));
    },
  ),
];

type Named = Readonly<Record<string, string>>;

/** `text` as a regular expression, NAME standing for a region's name. */
function sentence(text: string, make: (world: CallWorld, groups: Named) => void): Sentence {
  return { sentence: new RegExp(text.replace("NAME", "(?<name>[A-Z]+\\d*)")), make };
}

function numbers(list: string): number[] {
  return list.split(",").map(Number);
}

function current(world: CallWorld): Region {
  if (world.current !== null) return world.current;
  throw new InputError(
    "setup",
    "a clause without a name",
    "a clause that names a region before it",
  );
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

function fork(world: CallWorld): void {
  world.child = forkMm(world.machine.vm, world.self, "child");
}

function drop(world: CallWorld, { mm, startVpn }: Region, from: number, to: number): void {
  zapRange(world.machine.vm, vmaOf(mm, startVpn), startVpn + from, startVpn + to);
}

function unmapPage(world: CallWorld, { mm, startVpn }: Region, page: number): void {
  unmapRange(world.machine.vm, mm, startVpn + page, startVpn + page + 1);
}
