import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../sched/run.ts";
import { writeUser } from "../vm/fault.ts";
import { PTE } from "../vm/pte.ts";
import { SecondaryMmu } from "../vm/secondary-mmu.ts";
import { anonymousPage, type UserPage } from "../vm/small-vm.ts";
import { Tlbs } from "../vm/tlb.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";

/** A page that a TLB and a secondary MMU remember, as writable. */
function newScene(): { machine: Machine; page: UserPage; secondary: SecondaryMmu } {
  const machine = smallMachine();
  const { vm } = machine;
  vm.tlbs = new Tlbs(1);
  const page = anonymousPage(vm, 1);
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn, 0, 2)), "done");
  assert.equal(vm.tlbs.all().length, 1);
  const secondary = new SecondaryMmu(vm, page.mm);
  assert.equal(runToEnd(secondary.write(page.vpn, 0, 3)), "done");
  return { machine, page, secondary };
}

test("what is remembered as it is, or as less than it is, is right", () => {
  const { machine, page, secondary } = newScene();
  checkInvariants(machine);
  secondary.close();
  machine.vm.tlbs?.fill(0, page.mm, page.vpn, page.folio, PTE.present);
  checkInvariants(machine);
});

test("a translation of a page that is no longer there is found", () => {
  const { machine, page } = newScene();
  machine.vm.tables.set(page.entry, 0, 0);
  assert.throws(() => checkInvariants(machine), /TLB of processor 0, .*: nothing is mapped/);
});

test("a translation that could still write is found", () => {
  const { machine, page, secondary } = newScene();
  secondary.close();
  const bits = machine.vm.tables.bits(page.entry);
  machine.vm.tables.set(page.entry, page.folio, bits & ~PTE.write);
  assert.throws(() => checkInvariants(machine), /TLB .*: remembered as writable/);
});

test("a translation by which a write would not be told of is found", () => {
  const { machine, page } = newScene();
  const bits = machine.vm.tables.bits(page.entry);
  machine.vm.tables.set(page.entry, page.folio, bits & ~PTE.dirty);
  assert.throws(() => checkInvariants(machine), /TLB .*: remembered as dirty/);
});

test("a secondary mapping of another page is found", () => {
  const { machine, page, secondary } = newScene();
  machine.vm.tlbs = null;
  secondary.pages.set(page.vpn, machine.mem.pfn(page.folio + 1));
  assert.throws(() => checkInvariants(machine), /secondary MMU of .*: \d+ is mapped, remembered/);
});
