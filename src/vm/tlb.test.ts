import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { PG } from "../memory/page-flags.ts";
import { MemoryDevice } from "../pagecache/device/block-device.ts";
import { smallFile } from "../pagecache/small-file.ts";
import { folioClearDirtyForIo } from "../pagecache/writeback.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "./fault.ts";
import { forkMm } from "./fork.ts";
import { freezeHugePmd, splitHugePmd } from "./huge/split-pmd.ts";
import { ksmPass, mergeablePages } from "./ksm/small-ksm.ts";
import { tryToMigrate } from "./migration-entry.ts";
import { VM } from "./mm.ts";
import { MREMAP, mremap } from "./mremap.ts";
import { protectVma } from "./protect.ts";
import { PTE } from "./pte.ts";
import { SecondaryMmu } from "./secondary-mmu.ts";
import {
  anonymousPage,
  cachedFolio,
  hugePage,
  mapFilePage,
  smallVm,
  type UserPage,
} from "./small-vm.ts";
import { Tlbs } from "./tlb.ts";
import type { Vm } from "./vm.ts";
import { exitMm, unmapVma, zapRange } from "./zap.ts";

/** A page that the first processor's TLB holds as writable. */
function cached(): { vm: Vm; tlbs: Tlbs; page: UserPage } {
  const vm = smallVm();
  const tlbs = new Tlbs(2);
  vm.tlbs = tlbs;
  const page = anonymousPage(vm, 1);
  assert.equal(tlbs.lookUp(0, page.mm, page.vpn, "write"), page.folio);
  return { vm, tlbs, page };
}

test("a use that hits asks neither page tables nor VMAs; another processor has to", () => {
  const { vm, page } = cached();
  vm.tables.set(page.entry, 0, 0);
  page.vma.flags = 0;
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn, 0, 2)), "done");
  assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 2);
  vm.mem.cpu = 1;
  assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), "SIGSEGV");
});

test("a page that was loaded clean is looked up again for the first write, which sets dirty", () => {
  const { vm, tlbs, page } = cached();
  vm.tables.set(page.entry, page.folio, PTE.present | PTE.write);
  tlbs.flushMm(page.mm);
  runToEnd(readUser(vm, page.mm, page.vpn, 0));
  assert.equal(tlbs.lookUp(0, page.mm, page.vpn, "read"), page.folio);
  assert.equal(tlbs.lookUp(0, page.mm, page.vpn, "write"), null);
  runToEnd(writeUser(vm, page.mm, page.vpn, 0, 2));
  assert.ok((vm.tables.bits(page.entry) & PTE.dirty) !== 0);
  assert.equal(tlbs.lookUp(0, page.mm, page.vpn, "write"), page.folio);
  tlbs.flushCpu(0);
  assert.equal(tlbs.all().length, 0);
});

const TAKEN_AWAY: Readonly<Record<string, (vm: Vm, page: UserPage) => void>> = {
  "a migration entry": (vm, { folio }) => {
    vm.mem.refcount[folio]++;
    runToEnd(tryToMigrate(vm, folio));
  },
  zapping: (vm, { vma, vpn }) => runToEnd(zapRange(vm, vma, vpn, vpn + 1)),
  unmapping: (vm, { vma }) => runToEnd(unmapVma(vm, vma)),
  exit: (vm, { mm }) => runToEnd(exitMm(vm, mm)),
  protecting: (vm, { vma }) => runToEnd(protectVma(vm, vma, VM.read)),
  fork: (vm, { mm }) => void forkMm(vm, mm, "child"),
  mremap: (vm, { mm, vpn }) => {
    const request = { vpn, oldPages: 1, newPages: 1, newVpn: 0x4000 };
    runToEnd(mremap(vm, mm, { ...request, flags: MREMAP.mayMove | MREMAP.fixed }));
  },
};

/** A page of a file that the first processor's TLB and a guest hold as writable. */
function cachedOfFile(): { vm: Vm; tlbs: Tlbs; page: UserPage; secondary: SecondaryMmu } {
  const vm = smallVm();
  const tlbs = new Tlbs(1);
  vm.tlbs = tlbs;
  const file = smallFile(vm.cache, new MemoryDevice(vm.mem), 1);
  const page = mapFilePage(vm, file, cachedFolio(vm, file, 0, 3));
  const secondary = new SecondaryMmu(vm, page.mm);
  for (const write of [writeUser(vm, page.mm, page.vpn, 0, 4), secondary.write(page.vpn, 0, 5)]) {
    assert.equal(runToEnd(write), "done");
  }
  return { vm, tlbs, page, secondary };
}

test("a page that is cleaned to be written back is looked up again for the next write", () => {
  const { vm, tlbs, page, secondary } = cachedOfFile();
  const { mem } = vm;
  const { mm, vpn, folio } = page;
  const mapping = vm.cache.folioMapping(folio);
  assert.ok(mapping !== null && folioTrylock(mem, folio));
  assert.equal(runToEnd(folioClearDirtyForIo(mem, mapping, folio)), true);
  folioUnlock(mem, folio);
  assert.equal(tlbs.lookUp(0, mm, vpn, "write"), null);
  assert.equal(secondary.pages.size, 0);
  assert.equal(mem.flags[folio] & PG.dirty, 0);
  assert.equal(runToEnd(secondary.write(vpn, 0, 6)), "done");
  assert.ok((mem.flags[folio] & PG.dirty) !== 0, "nobody knows of the write");
});

for (const [what, take] of Object.entries(TAKEN_AWAY)) {
  test(`${what} takes the translation from every processor, and from secondary MMUs`, () => {
    const { vm, tlbs, page } = cached();
    const { mm, vpn, folio } = page;
    tlbs.fill(1, mm, vpn, folio, PTE.present | PTE.write | PTE.dirty);
    const secondary = new SecondaryMmu(vm, mm);
    runToEnd(secondary.write(vpn, 0, 5));
    assert.equal(secondary.pages.get(vpn), folio);
    take(vm, page);
    assert.deepEqual(
      [0, 1].map((cpu) => tlbs.lookUp(cpu, mm, vpn, "write")),
      [null, null],
    );
    assert.equal(secondary.pages.size, 0);
  });
}

test("KSM takes translations of what it write-protects and of what it replaces", () => {
  const vm = smallVm();
  vm.tlbs = new Tlbs(1);
  const pages = mergeablePages(vm, [5, 5]);
  ksmPass(vm);
  ksmPass(vm);
  for (const { mm, vpn } of pages) {
    assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, vpn)), "done");
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), vpn);
  }
  assert.equal(runToEnd(readUser(vm, pages[0].mm, pages[0].vpn, 0)), pages[0].vpn);
});

test("the zero page is forgotten when a page takes its place, and a copied page when its copy does", () => {
  const vm = smallVm();
  vm.tlbs = new Tlbs(1);
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(1));
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  runToEnd(writeUser(vm, mm, startVpn, 0, 3));
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 3);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(runToEnd(readUser(vm, child, startVpn, 0)), 3);
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 3);
  runToEnd(writeUser(vm, child, startVpn, 0, 4));
  assert.equal(runToEnd(readUser(vm, child, startVpn, 0)), 4);
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 3);
});

test("a huge page's translations go with it", () => {
  const vm = smallVm({ pageCount: 4096 });
  const tlbs = new Tlbs(1);
  vm.tlbs = tlbs;
  const { vma, mm, vpn } = hugePage(vm, 7);
  runToEnd(readUser(vm, mm, vpn + 77, 0));
  assert.ok(tlbs.lookUp(0, mm, vpn + 77, "read") !== null);
  runToEnd(zapRange(vm, vma, vpn, vpn + 512));
  assert.equal(tlbs.all().length, 0);
});

const SPLITS: Readonly<Record<string, (vm: Vm, page: UserPage) => void>> = {
  "a split": (vm, { vma, vpn }) => splitHugePmd(vm, vma, vpn + 3),
  "a split into migration entries": (vm, { vma, vpn, folio }) => freezeHugePmd(vm, vma, vpn, folio),
};

for (const [what, split] of Object.entries(SPLITS)) {
  test(`${what} of a huge entry takes its pages from secondary MMUs`, () => {
    const vm = smallVm({ pageCount: 4096 });
    const page = hugePage(vm, 7);
    const secondary = new SecondaryMmu(vm, page.mm);
    assert.equal(runToEnd(secondary.write(page.vpn + 77, 0, 8)), "done");
    assert.equal(secondary.pages.size, 1);
    split(vm, page);
    assert.equal(secondary.pages.size, 0);
  });
}
