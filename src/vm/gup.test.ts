import assert from "node:assert/strict";
import { test } from "node:test";
import { folioUnpin } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "./fault.ts";
import { forkMm } from "./fork.ts";
import { FOLL, getUserPages, pinUserPage, putUserPages, unpinUserPages } from "./gup.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { protectVma } from "./protect.ts";
import { PTE } from "./pte.ts";
import { anonymousPage, cachedFolio, mapFilePage, smallVm, touchPage } from "./small-vm.ts";
import type { Vm } from "./vm.ts";

test("a page that two processes share is copied before a device may write to it", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  const pinned = runToEnd(pinUserPage(vm, child, vpn));
  assert.ok(typeof pinned === "number" && pinned !== folio, "the child's page is its own");
  vm.mem.frames.writeWord(pinned, 0, 8);
  assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 8);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7, "the device wrote into the parent's page");
  folioUnpin(vm.mem, pinned);
});

const AT = 0x200;

/** A process with three pages at AT: the first written to, the second touched, the third not. */
function threePages(): { vm: Vm; mm: Mm; vma: Vma } {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, { startVpn: AT, endVpn: AT + 3, pgoff: AT });
  touchPage(vm, vma, AT, 7);
  runToEnd(readUser(vm, mm, AT + 1, 0));
  return { vm, mm, vma };
}

function get(vm: Vm, mm: Mm, vpn: number, count: number, flags: number): readonly Pfn[] {
  const pages = runToEnd(getUserPages(vm, mm, vpn, count, flags));
  assert.ok(typeof pages !== "string", `got ${pages}`);
  lruAddDrain(vm.mem);
  return pages;
}

test("to write, pages are faulted in and each is the process's own; to read, zeros are the zero page", () => {
  const { vm, mm } = threePages();
  const read = get(vm, mm, AT, 3, FOLL.get);
  assert.deepEqual(read.slice(1), [vm.zeroPage, vm.zeroPage]);
  const written = get(vm, mm, AT, 3, FOLL.get | FOLL.write);
  assert.equal(new Set(written).size, 3);
  assert.deepEqual(
    written.map((page) => vm.mem.refcount[page]),
    [3, 2, 2],
  );
  putUserPages(vm.mem, read);
  putUserPages(vm.mem, written);
  assert.equal(vm.mem.refcount[written[0]], 1);
});

test("a pin counts 1024, and at a large folio 1 and a pin beside it", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 1, 2);
  const { mm, vpn } = mapFilePage(vm, mapping, folio);
  const before = vm.mem.refcount[folio];
  const pages = get(vm, mm, vpn, 4, FOLL.pin | FOLL.write);
  assert.deepEqual(pages, [folio, folio + 1, folio + 2, folio + 3]);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.next[folio + 1]], [before + 4, 4]);
  unpinUserPages(vm.mem, pages);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.next[folio + 1]], [before, 0]);
  const { mm: other, vpn: at, folio: small } = anonymousPage(vm, 1);
  const pinned = get(vm, other, at, 1, FOLL.pin);
  assert.equal(vm.mem.refcount[small], 1025);
  unpinUserPages(vm.mem, pinned);
});

test("as many pages as there are before the first that fails; an errno if it is the first of all", () => {
  const { vm, mm, vma } = threePages();
  const pages = get(vm, mm, AT + 1, 5, FOLL.get | FOLL.write);
  assert.equal(pages.length, 2);
  putUserPages(vm.mem, pages);
  const first = (vpn: number, flags: number): unknown =>
    runToEnd(getUserPages(vm, mm, vpn, 1, flags));
  assert.equal(first(AT + 3, FOLL.get), "EFAULT", "no mapping");
  runToEnd(protectVma(vm, vma, VM.read));
  assert.equal(first(AT + 2, FOLL.get | FOLL.write), "EFAULT", "no right to write");
  const device = vm.mapAnonymous(mm, mm.freeRange(1), VM.read | VM.io);
  assert.equal(first(device.startVpn, FOLL.get), "EFAULT", "a device's memory");
  assert.equal(first(AT, 0), "EINVAL", "neither get nor pin");
  assert.equal(first(AT, FOLL.get | FOLL.pin), "EINVAL");
  assert.equal(first(AT, FOLL.get | FOLL.longterm), "EINVAL", "for long only by a pin");
});

test("a page that processes share is copied for a pin, to read it as before, and not for a get", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  const got = get(vm, child, vpn, 1, FOLL.get);
  assert.deepEqual(got, [folio]);
  putUserPages(vm.mem, got);
  const [pinned] = get(vm, child, vpn, 1, FOLL.pin);
  assert.notEqual(pinned, folio);
  const bits = vm.tables.bits(child.directory.find(vpn));
  assert.equal(bits & PTE.write, 0);
  runToEnd(writeUser(vm, child, vpn, 0, 8));
  assert.equal(vm.mem.frames.readWord(pinned, 0), 8, "what is pinned is what the child writes to");
  unpinUserPages(vm.mem, [pinned]);
});

test("pages that are pinned for long are shown to whom they are in the way of, until they are not", () => {
  const { vm, mm } = threePages();
  let asked = 0;
  vm.longtermPin = function* ({ mem }, pages): Blocking<"pinnable" | "again" | "ENOMEM"> {
    yield "longterm-check";
    asked++;
    if (asked === 3) return "pinnable";
    unpinUserPages(mem, pages);
    return asked === 4 ? "ENOMEM" : "again";
  };
  const flags = FOLL.pin | FOLL.write | FOLL.longterm;
  const pages = get(vm, mm, AT, 2, flags);
  assert.deepEqual([asked, vm.mem.refcount[pages[0]]], [3, 1025]);
  assert.equal(runToEnd(getUserPages(vm, mm, AT, 1, flags)), "ENOMEM");
  assert.equal(vm.mem.refcount[pages[0]], 1025, "only the first pin is left");
  unpinUserPages(vm.mem, pages);
});
