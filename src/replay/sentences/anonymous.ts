/** Sentences about private anonymous memory: written, read, dropped, unmapped, protected. */
import { runToEnd } from "../../sched/run.ts";
import { userPage } from "../../vm/fault.ts";
import { VM } from "../../vm/mm.ts";
import { protectVma } from "../../vm/protect.ts";
import { unmapRange, zapRange } from "../../vm/zap.ts";
import { type CallWorld, type Region, vmaOf } from "../call-world.ts";
import { current, numbers, type Sentence, sentence, tells } from "./sentence.ts";

/** An anonymous region, however the records put it. */
const WRITTEN = [
  "^NAME = mmap\\((?<count>\\d+) pages, MAP_PRIVATE\\|MAP_ANONYMOUS, RW\\), " +
    "MADV_NOHUGEPAGE, written on node (?<node>\\d) \\(MPOL_BIND while touching",
  "^NAME = (?<count>\\d+) anon pages on node (?<node>\\d)$",
  "^NAME (?:(?<count>\\d+) )?anon(?: pages)? node(?<node>\\d)(?: written by parent)?$",
  "^NAME (?<count>\\d+) pages written on node(?<node>\\d)$",
  "^NAME (?<count>\\d+) pages node(?<node>\\d)$",
  "^NAME on node(?<node>\\d)$",
];

export const ANONYMOUS: readonly Sentence[] = [
  ...WRITTEN.map((text) =>
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
      runToEnd(protectVma(world.machine.vm, vma, allowed === "READ" ? VM.read : 0));
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
      runToEnd(
        unmapRange(world.machine.vm, region.mm, region.startVpn, region.startVpn + region.pages),
      );
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
  tells("^\\d+ untouched$"),
  sentence("^(?<page>\\d+) zero page$", (world, { page }) => {
    const { mm, startVpn } = current(world);
    runToEnd(userPage(world.machine.vm, mm, startVpn + Number(page), "read"));
  }),
];

function drop(world: CallWorld, { mm, startVpn }: Region, from: number, to: number): void {
  runToEnd(zapRange(world.machine.vm, vmaOf(mm, startVpn), startVpn + from, startVpn + to));
}

function unmapPage(world: CallWorld, { mm, startVpn }: Region, page: number): void {
  runToEnd(unmapRange(world.machine.vm, mm, startVpn + page, startVpn + page + 1));
}
