/** The pool of huge pages: its size, its promises, and how processes use what is in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioOrder } from "../../memory/folio.ts";
import { folioTryPin } from "../../memory/folio-ref.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { followPage } from "../follow-page.ts";
import { forkMm } from "../fork.ts";
import { type Advice, madvise } from "../madvise/madvise.ts";
import { VM } from "../mm.ts";
import { MREMAP, mremap } from "../mremap.ts";
import { PTE } from "../pte.ts";
import { smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { exitMm, unmapRange, unmapVma, zapRange } from "../zap.ts";
import { createHugetlbFile, type HugetlbFile, truncateHugetlbFile } from "./file.ts";
import { HPG, testHugetlbBit } from "./folio-state.ts";
import { type Hstate, HUGETLB_PAGES } from "./hstate.ts";
import { mapHugetlb, mapHugetlbFile } from "./map.ts";
import { setNrHugepages } from "./pool-size.ts";
import {
  hugeFolioAt,
  hugetlbShape,
  mapHuge,
  mapHugeFile,
  smallPool,
  touchHuge,
} from "./small-hugetlb.ts";

/** Two nodes with room for four huge pages each. */
function newVm(): Vm {
  return smallVm(hugetlbShape(2, 4));
}

/** All, free, promised, surplus. */
function counts(hstate: Hstate): number[] {
  const { nrHugePages, freeHugePages, resvHugePages, surplusHugePages } = hstate;
  return [nrHugePages, freeHugePages, resvHugePages, surplusHugePages];
}

function count(vm: Vm, event: "htlb_buddy_alloc_success" | "htlb_buddy_alloc_fail"): number {
  return vm.mem.events.vmstat.counts[VM_EVENT[event]];
}

function fileOf(vm: Vm, hstate: Hstate, maxHugePages?: number): HugetlbFile {
  const subpool = maxHugePages === undefined ? null : hstate.addSubpool(maxHugePages);
  return createHugetlbFile(vm, hstate, "a hugetlbfs file", {}, subpool);
}

test("a node's pool grows out of its free memory, and only so far", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [2, 1]);
  assert.deepEqual(counts(hstate), [3, 3, 0, 0]);
  assert.deepEqual([...hstate.freeHugePagesNode], [2, 1]);
  assert.equal(vm.mem.zones[0].freePages, 2 * HUGETLB_PAGES);
  assert.equal(count(vm, "htlb_buddy_alloc_success"), 3);
  assert.equal(runToEnd(setNrHugepages(hstate, 0, 9)), 4);
  assert.deepEqual(counts(hstate), [5, 5, 0, 0]);
  assert.equal(count(vm, "htlb_buddy_alloc_fail"), 1);
  assert.equal(runToEnd(setNrHugepages(hstate, 0, 0)), 0);
  assert.deepEqual([...hstate.nrHugePagesNode], [0, 1]);
  assert.equal(vm.mem.zones[0].freePages, 4 * HUGETLB_PAGES);
});

test("a free huge page is a compound that nobody holds, marked as what it is", () => {
  const vm = newVm();
  const { mem } = vm;
  const folio = smallPool(vm, [1]).dequeueFrom(0);
  assert.ok(folio !== null);
  assert.deepEqual([folioOrder(mem, folio), mem.refcount[folio]], [9, 1]);
  assert.equal(mem.flags[folio], PG.head | PG.hugetlb);
  assert.equal(mem.private[folio], 0);
});

test("pages in use that a smaller pool has no place for are surplus, and go when they are freed", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [3]);
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 2);
  touchHuge(vm, vma, 0, 1);
  touchHuge(vm, vma, 1, 2);
  assert.equal(runToEnd(setNrHugepages(hstate, 0, 1)), 1);
  assert.deepEqual(counts(hstate), [2, 0, 0, 1]);
  runToEnd(zapRange(vm, vma, vma.startVpn, vma.startVpn + HUGETLB_PAGES));
  assert.deepEqual(counts(hstate), [1, 0, 0, 0]);
  runToEnd(zapRange(vm, vma, vma.startVpn, vma.endVpn));
  assert.deepEqual(counts(hstate), [1, 1, 0, 0]);
  // Grown again while a page is surplus: that one stays instead of a new one.
  touchHuge(vm, vma, 0, 1);
  runToEnd(setNrHugepages(hstate, 0, 0));
  assert.deepEqual(counts(hstate), [1, 0, 0, 1]);
  const allocated = count(vm, "htlb_buddy_alloc_success");
  runToEnd(setNrHugepages(hstate, 0, 1));
  assert.deepEqual(counts(hstate), [1, 0, 0, 0]);
  assert.equal(count(vm, "htlb_buddy_alloc_success"), allocated);
});

test("promised pages are not given back by a pool that shrinks", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [3]);
  const mm = vm.createMm("a process");
  mapHuge(vm, mm, 2);
  runToEnd(setNrHugepages(hstate, 0, 0));
  assert.deepEqual(counts(hstate), [2, 2, 2, 2]);
  runToEnd(exitMm(vm, mm));
  assert.deepEqual(counts(hstate), [0, 0, 0, 0]);
});

test("a mapping is promised its pages at once, or refused", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [2]);
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 2);
  assert.deepEqual(counts(hstate), [2, 2, 2, 0]);
  const more = mm.freeRange(HUGETLB_PAGES);
  assert.equal(runToEnd(mapHugetlb(vm, mm, more)), "ENOMEM");
  assert.deepEqual(counts(hstate), [2, 2, 2, 0]);
  assert.equal(mm.vmas.length, 1);
  runToEnd(unmapVma(vm, vma));
  assert.deepEqual(counts(hstate), [2, 2, 0, 0]);
});

test("what a promise lacks comes as surplus within the overcommit, and goes with the promise", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [1]);
  hstate.nrOvercommitHugePages = 2;
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 3);
  assert.deepEqual(counts(hstate), [3, 3, 3, 2]);
  assert.equal(runToEnd(mapHugetlb(vm, mm, mm.freeRange(HUGETLB_PAGES))), "ENOMEM");
  assert.deepEqual(counts(hstate), [3, 3, 3, 2]);
  touchHuge(vm, vma, 1, 1);
  assert.deepEqual(counts(hstate), [3, 2, 2, 2]);
  runToEnd(unmapVma(vm, vma));
  assert.deepEqual(counts(hstate), [1, 1, 0, 0]);
});

test("a private page is anonymous, exclusive, mapped by one entry, and may be isolated", () => {
  const vm = newVm();
  const { mem, tables } = vm;
  const hstate = smallPool(vm, [2]);
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 2);
  const folio = touchHuge(vm, vma, 0, 42);
  assert.deepEqual(counts(hstate), [2, 1, 1, 0]);
  const { anonExclusive, uptodate, head, hugetlb } = PG;
  assert.equal(mem.flags[folio], anonExclusive | uptodate | head | hugetlb);
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [1, 1]);
  assert.deepEqual([mm.hugetlbPages, mm.rssPages], [HUGETLB_PAGES, 0]);
  assert.ok(testHugetlbBit(mem, folio, HPG.migratable));
  const bits = tables.bits(mm.directory.findHuge(vma.startVpn));
  assert.equal(bits & (PTE.present | PTE.huge | PTE.write), PTE.present | PTE.huge | PTE.write);
  // Every page of it is there: the last one too.
  const last = vma.startVpn + HUGETLB_PAGES - 1;
  assert.equal(runToEnd(readUser(vm, mm, last, 1)), 0);
  runToEnd(writeUser(vm, mm, last, 1, 43));
  assert.equal(runToEnd(readUser(vm, mm, last, 1)), 43);
  assert.equal(followPage(vm, vma, last), folio + HUGETLB_PAGES - 1);
  assert.equal(followPage(vm, vma, vma.startVpn + HUGETLB_PAGES), "ENOENT");
});

test("a process reads what it wrote, and zeros where it did not", () => {
  const vm = newVm();
  smallPool(vm, [1]);
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 1);
  touchHuge(vm, vma, 0, 42);
  runToEnd(zapRange(vm, vma, vma.startVpn, vma.endVpn));
  assert.equal(runToEnd(readUser(vm, mm, vma.startVpn, 0)), 0, "of the same frames");
});

test("a promise is kept once: what is dropped and used again may fail", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [1]);
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 1);
  touchHuge(vm, vma, 0, 1);
  runToEnd(zapRange(vm, vma, vma.startVpn, vma.endVpn));
  assert.deepEqual(counts(hstate), [1, 1, 0, 0]);
  mapHuge(vm, vm.createMm("another"), 1);
  assert.equal(runToEnd(writeUser(vm, mm, vma.startVpn, 0, 2)), "SIGBUS");
});

test("without a promise a page is had only if nobody was promised it", () => {
  const vm = newVm();
  smallPool(vm, [2]);
  const flags = VM.read | VM.write | VM.noReserve;
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 2, flags);
  mapHuge(vm, vm.createMm("another"), 1);
  touchHuge(vm, vma, 0, 1);
  const second = vma.startVpn + HUGETLB_PAGES;
  assert.equal(runToEnd(writeUser(vm, mm, second, 0, 2)), "SIGBUS");
});

test("a child shares private pages until one side writes, and has no promise of its own", () => {
  const vm = newVm();
  const { mem } = vm;
  const hstate = smallPool(vm, [3]);
  const mm = vm.createMm("parent");
  const vma = mapHuge(vm, mm, 1);
  const folio = touchHuge(vm, vma, 0, 42);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [2, 2]);
  assert.equal(child.vmas[0].resvMap, null);
  assert.equal(runToEnd(readUser(vm, child, vma.startVpn, 0)), 42);
  runToEnd(writeUser(vm, child, vma.startVpn, 0, 43));
  assert.notEqual(hugeFolioAt(vm, child.vmas[0], 0), folio);
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [1, 1]);
  assert.equal(touchHuge(vm, vma, 0, 44), folio, "the last that maps it has it for its own");
  assert.equal(runToEnd(readUser(vm, child, vma.startVpn, 0)), 43);
  assert.deepEqual(counts(hstate), [3, 1, 0, 0]);
  runToEnd(exitMm(vm, mm));
  runToEnd(exitMm(vm, child));
  assert.deepEqual(counts(hstate), [3, 3, 0, 0]);
});

test("a child gets its own copy of a page that a device may use, or the fork fails", () => {
  const vm = newVm();
  smallPool(vm, [2]);
  const mm = vm.createMm("parent");
  const vma = mapHuge(vm, mm, 1);
  const folio = touchHuge(vm, vma, 0, 42);
  assert.ok(folioTryPin(vm.mem, folio));
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.notEqual(hugeFolioAt(vm, child.vmas[0], 0), folio);
  assert.equal(runToEnd(readUser(vm, child, vma.startVpn, 0)), 42);
  assert.equal(forkMm(vm, mm, "one too many"), null);
});

test("who cannot have a copy cannot write", () => {
  const vm = newVm();
  smallPool(vm, [1]);
  const mm = vm.createMm("parent");
  const vma = mapHuge(vm, mm, 1);
  touchHuge(vm, vma, 0, 42);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(runToEnd(writeUser(vm, child, vma.startVpn, 0, 43)), "SIGBUS");
  assert.equal(runToEnd(readUser(vm, mm, vma.startVpn, 0)), 42);
});

test("processes that map a file share its pages, and its promises", () => {
  const vm = newVm();
  const { mem } = vm;
  const hstate = smallPool(vm, [2]);
  const file = fileOf(vm, hstate);
  const [one, other] = ["one", "other"].map((name) => vm.createMm(name));
  const vma = mapHugeFile(vm, one, file, 2);
  const same = mapHugeFile(vm, other, file, 2);
  assert.deepEqual(counts(hstate), [2, 2, 2, 0]);
  const folio = touchHuge(vm, vma, 1, 42);
  assert.equal(runToEnd(readUser(vm, other, same.startVpn + HUGETLB_PAGES, 0)), 42);
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [3, 2], "and the cache");
  assert.ok((mem.flags[folio] & PG.dirty) !== 0);
  assert.equal(mem.nodes[0].filePages, 0);
  assert.deepEqual(counts(hstate), [2, 1, 1, 0]);
  runToEnd(exitMm(vm, one));
  runToEnd(exitMm(vm, other));
  assert.deepEqual(counts(hstate), [2, 1, 1, 0], "the file keeps both");
  runToEnd(truncateHugetlbFile(vm, hstate, file, 0));
  assert.deepEqual(counts(hstate), [2, 2, 0, 0]);
});

test("truncation takes a file's pages from who maps them, behind the new end alone", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [3]);
  const file = fileOf(vm, hstate);
  const mm = vm.createMm("a process");
  const vma = mapHugeFile(vm, mm, file, 3);
  for (let at = 0; at < 2; at++) touchHuge(vm, vma, at, 40 + at);
  runToEnd(truncateHugetlbFile(vm, hstate, file, HUGETLB_PAGES));
  assert.deepEqual(counts(hstate), [3, 2, 0, 0]);
  assert.deepEqual([...file.resv], [0]);
  assert.equal(mm.hugetlbPages, HUGETLB_PAGES);
  assert.equal(runToEnd(readUser(vm, mm, vma.startVpn, 0)), 40);
});

test("a mount's limit holds for promises and for pages, and a page is charged once", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [4]);
  const file = fileOf(vm, hstate, 2);
  const mm = vm.createMm("a process");
  const range = { ...mm.freeRange(3 * HUGETLB_PAGES), pgoff: 0 };
  assert.equal(runToEnd(mapHugetlbFile(vm, mm, range, file)), "ENOMEM");
  assert.deepEqual(counts(hstate), [4, 4, 0, 0]);
  const vma = mapHugeFile(vm, mm, file, 1);
  touchHuge(vm, vma, 0, 1);
  assert.equal(hstate.subpools[0].usedHugePages, 1);
  const flags = VM.read | VM.write | VM.noReserve;
  const rest = { ...mm.freeRange(2 * HUGETLB_PAGES), pgoff: HUGETLB_PAGES };
  const unpromised = runToEnd(mapHugetlbFile(vm, mm, rest, file, flags));
  assert.ok(unpromised !== "ENOMEM");
  touchHuge(vm, unpromised, 0, 2);
  const last = unpromised.startVpn + HUGETLB_PAGES;
  assert.equal(runToEnd(writeUser(vm, mm, last, 0, 3)), "SIGBUS");
  assert.equal(hstate.subpools[0].usedHugePages, 2);
  runToEnd(truncateHugetlbFile(vm, hstate, file, 0));
  assert.equal(hstate.subpools[0].usedHugePages, 0);
  assert.deepEqual(counts(hstate), [4, 4, 0, 0]);
});

test("a part of a mapping takes its own promises along", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [3]);
  const mm = vm.createMm("a process");
  const { startVpn, endVpn } = mapHuge(vm, mm, 3);
  touchHuge(vm, mm.vmas[0], 1, 1);
  runToEnd(unmapRange(vm, mm, startVpn + HUGETLB_PAGES, startVpn + 2 * HUGETLB_PAGES));
  assert.deepEqual(counts(hstate), [3, 3, 2, 0]);
  runToEnd(unmapRange(vm, mm, startVpn, startVpn + HUGETLB_PAGES));
  assert.deepEqual(counts(hstate), [3, 3, 1, 0]);
  assert.throws(() => runToEnd(unmapRange(vm, mm, endVpn - 1, endVpn)), /a huge page is split/);
});

test("huge pages of a pool take one advice, whole, and are neither locked nor moved by mremap", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [3]);
  const mm = vm.createMm("a process");
  const vma = mapHuge(vm, mm, 2, VM.read | VM.write | VM.locked);
  assert.equal(vma.flags & VM.locked, 0);
  for (let at = 0; at < 2; at++) touchHuge(vm, vma, at, at);
  const { startVpn, endVpn } = vma;
  const advise = (from: number, to: number, advice: Advice): unknown =>
    runToEnd(madvise(vm, mm, from, to, advice));
  for (const advice of ["MADV_FREE", "MADV_COLD", "MADV_PAGEOUT"] as const) {
    assert.equal(advise(startVpn, endVpn, advice), "EINVAL");
  }
  assert.equal(advise(startVpn + 1, endVpn, "MADV_DONTNEED"), "EINVAL");
  assert.equal(advise(startVpn, endVpn - 1, "MADV_DONTNEED"), "done");
  assert.equal(hstate.freeHugePages, 2, "the second is not whole in the range");
  const request = { vpn: startVpn, oldPages: HUGETLB_PAGES, newPages: HUGETLB_PAGES };
  const moved = mremap(vm, mm, { ...request, flags: MREMAP.mayMove | MREMAP.fixed, newVpn: 0 });
  assert.equal(runToEnd(moved), "EINVAL");
});

test("frames that the pool gives back serve other requests", () => {
  const vm = newVm();
  const hstate = smallPool(vm, [4, 4]);
  assert.equal(folioAlloc(vm.mem, movableRequest(0)), null);
  runToEnd(setNrHugepages(hstate, 0, 3));
  assert.ok(folioAlloc(vm.mem, movableRequest(0)) !== null);
});
