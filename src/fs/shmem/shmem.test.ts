/** shmem: holes, pages in the cache and pages in swap, and every way from one to another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../../memory/byte-frames.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { punchHole, truncateFile } from "../../pagecache/truncate.ts";
import { genericPerformWrite } from "../../pagecache/write.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../../vm/fault.ts";
import { forkMm } from "../../vm/fork.ts";
import { madvise } from "../../vm/madvise/madvise.ts";
import { type Mm, VM, type Vma } from "../../vm/mm.ts";
import { mbindPolicy } from "../../vm/policy/set-policy.ts";
import { cachedFolio, endProcesses, smallVm } from "../../vm/small-vm.ts";
import { pageOut, smallSwap, supplyPageOut } from "../../vm/swap/small-swap.ts";
import type { SwapArea } from "../../vm/swap/swap-area.ts";
import { swapOff } from "../../vm/swap/swap-off.ts";
import type { Vm } from "../../vm/vm.ts";
import { shmemFileRead } from "./get-folio.ts";
import { Shmem } from "./shmem.ts";

const PAGES = 4;

interface Scene {
  readonly vm: Vm;
  readonly area: SwapArea;
  readonly file: AddressSpace;
  readonly mm: Mm;
  readonly vma: Vma;
}

/** A file of four pages of holes, mapped by one process, on a machine with eight slots. */
function newScene(): Scene {
  const vm = smallVm({ pageCount: 64, frames: byteFrames(64) });
  vm.shmem = new Shmem(vm);
  supplyPageOut(vm);
  const area = smallSwap(vm, migrateFolio, { slots: 9 });
  const file = vm.shmem.createFile("shm", PAGES * PAGE_SIZE);
  const mm = vm.createMm("a process");
  const vma = vm.mapFile(mm, { ...mm.freeRange(PAGES), pgoff: 0 }, file);
  return { vm, area, file, mm, vma };
}

function write({ vm, mm, vma }: Scene, page: number, value: number): void {
  assert.equal(runToEnd(writeUser(vm, mm, vma.startVpn + page, 0, value)), "done");
  lruAddDrain(vm.mem);
}

function read({ vm, mm, vma }: Scene, page: number): unknown {
  return runToEnd(readUser(vm, mm, vma.startVpn + page, 0));
}

function takeOut({ vm, mm, vma }: Scene): void {
  assert.equal(runToEnd(madvise(vm, mm, vma.startVpn, vma.endVpn, "MADV_PAGEOUT")), "done");
}

function swappedOffsets({ file }: Scene): number[] {
  return [...(file.swapped?.keys() ?? [])];
}

/** Ends the process and cuts the file to nothing; frames and slots in use afterwards. */
function end({ vm, area, file }: Scene): [frames: number, slots: number] {
  runToEnd(truncateFile(vm.mem, file, 0));
  return [endProcesses(vm), area.slotsInUse];
}

test("a page that was written to goes out to a slot, and comes back with its bytes", () => {
  const scene = newScene();
  const { vm, area, file } = scene;
  const [node] = vm.mem.nodes;
  write(scene, 1, 41);
  assert.deepEqual([node.filePages, node.shmemPages], [1, 1]);
  takeOut(scene);
  assert.deepEqual(swappedOffsets(scene), [1]);
  assert.deepEqual([file.folios.pageCount, area.slotsInUse, area.count(1)], [0, 1, 1]);
  assert.deepEqual([node.filePages, node.shmemPages, node.swapcachePages], [0, 0, 0]);
  assert.equal(read(scene, 1), 41);
  const folio = file.folios.load(1);
  assert.ok(folio !== null);
  const state = PG.dirty | PG.uptodate | PG.swapbacked | PG.swapcache;
  assert.equal(vm.mem.flags[folio] & state, PG.dirty | PG.uptodate | PG.swapbacked);
  assert.deepEqual([swappedOffsets(scene), area.slotsInUse], [[], 0]);
  assert.deepEqual([node.filePages, node.shmemPages], [1, 1]);
  const { pgmajfault, pswpin, pswpout } = vm.mem.events.vmstat.snapshot();
  assert.deepEqual([pgmajfault, pswpin, pswpout], [1, 1, 1]);
  assert.deepEqual(end(scene), [0, 0]);
});

test("a page that is only read is zeroes, without a slot and not dirty", () => {
  const scene = newScene();
  assert.equal(read(scene, 0), 0);
  const folio = scene.file.folios.load(0);
  assert.ok(folio !== null && (scene.vm.mem.flags[folio] & PG.dirty) === 0);
  assert.deepEqual(end(scene), [0, 0]);
});

test("a folio that is written and still in the swap cache is taken from there", () => {
  const scene = newScene();
  const { vm, file } = scene;
  write(scene, 0, 7);
  const folio = file.folios.load(0);
  assert.ok(folio !== null);
  runToEnd(madvise(vm, scene.mm, scene.vma.startVpn, scene.vma.endVpn, "MADV_COLD"));
  const held = holdAfterUnmap(scene, folio);
  assert.equal(vm.mem.flags[folio] & PG.swapcache, PG.swapcache);
  assert.equal(vm.mem.mapping[folio], 0, "it is nobody's but the swap cache's");
  assert.equal(vm.cache.folioMapping(folio), vm.swap?.mapping);
  held();
  assert.equal(read(scene, 0), 7);
  assert.equal(file.folios.load(0), folio);
  assert.equal(vm.mem.events.vmstat.snapshot()["pswpin"], 0);
  assert.deepEqual(end(scene), [0, 0]);
});

/** Takes a folio out while a device's write lasts: it stays in the swap cache. */
function holdAfterUnmap({ vm, area }: Scene, folio: Folio): () => void {
  const { device } = area;
  const submit = device.submit.bind(device);
  device.submit = (request) => {
    folioGet(vm.mem, folio);
    submit(request);
  };
  assert.equal(runToEnd(pageOut(vm, folio)), "cached");
  device.submit = submit;
  return () => {
    folioPut(vm.mem, folio);
    lruAddDrain(vm.mem);
  };
}

test("read and write go to pages in swap as to others; a hole that is read stays a hole", () => {
  const scene = newScene();
  const { vm, file } = scene;
  const words = new Int32Array(2 * 1024).fill(5);
  assert.equal(runToEnd(genericPerformWrite(vm.mem, file, PAGE_SIZE - 8, words)), 2048);
  write(scene, 0, 1);
  write(scene, 1, 5);
  write(scene, 2, 5);
  takeOut(scene);
  assert.deepEqual(swappedOffsets(scene).sort(), [0, 1, 2]);
  assert.equal(runToEnd(genericPerformWrite(vm.mem, file, 4, Int32Array.of(2))), 1);
  const got = new Int32Array(PAGES * 1024).fill(-1);
  assert.equal(runToEnd(shmemFileRead(vm, file, 0, got)), PAGES * 1024);
  assert.deepEqual([got[0], got[1], got[1021], got[1022], got[1024]], [1, 2, 0, 5, 5]);
  assert.deepEqual([got[3069], got[3070], got[4095]], [5, 0, 0]);
  assert.equal(file.folios.load(3), null);
  assert.equal(runToEnd(shmemFileRead(vm, file, PAGES * PAGE_SIZE, got)), 0);
  assert.deepEqual(end(scene), [0, 0]);
});

test("with swap full, or without any, the page stays and is dirty", () => {
  const scene = newScene();
  const { vm, area, file } = scene;
  while (area.allocate(1) > 0);
  write(scene, 0, 3);
  takeOut(scene);
  const folio = file.folios.load(0);
  assert.ok(folio !== null && (vm.mem.flags[folio] & PG.dirty) !== 0);
  assert.equal(read(scene, 0), 3);
});

test("a cut frees slots, brings back the page that it cuts in two, and zeroes the rest", () => {
  const scene = newScene();
  const { vm, area, file } = scene;
  for (let page = 0; page < PAGES; page++) {
    const words = new Int32Array(1024).fill(page + 1);
    runToEnd(genericPerformWrite(vm.mem, file, page * PAGE_SIZE, words));
    write(scene, page, page + 1);
  }
  takeOut(scene);
  assert.equal(area.slotsInUse, 4);
  assert.equal(runToEnd(truncateFile(vm.mem, file, PAGE_SIZE + 40)), "done");
  assert.deepEqual([swappedOffsets(scene), area.slotsInUse], [[0], 1]);
  assert.equal(read(scene, 2), "SIGBUS");
  runToEnd(truncateFile(vm.mem, file, PAGES * PAGE_SIZE));
  const got = new Int32Array(PAGES * 1024);
  runToEnd(shmemFileRead(vm, file, 0, got));
  assert.deepEqual([got[1023], got[1024], got[1033], got[1034], got[2048]], [1, 2, 2, 0, 0]);
  assert.deepEqual(end(scene), [0, 0]);
});

test("a hole is punched through pages in the cache and in swap, with both its ends zeroed", () => {
  const scene = newScene();
  const { vm, file } = scene;
  for (let page = 0; page < PAGES; page++) {
    const words = new Int32Array(1024).fill(page + 1);
    runToEnd(genericPerformWrite(vm.mem, file, page * PAGE_SIZE, words));
    write(scene, page, page + 1);
  }
  takeOut(scene);
  assert.equal(read(scene, 1), 2);
  const endBytes = 3 * PAGE_SIZE + 12;
  assert.equal(runToEnd(punchHole(vm.mem, file, PAGE_SIZE - 4, endBytes)), "done");
  assert.deepEqual([swappedOffsets(scene), file.folios.pageCount], [[], 2]);
  const got = new Int32Array(PAGES * 1024);
  assert.equal(runToEnd(shmemFileRead(vm, file, 0, got)), PAGES * 1024);
  assert.deepEqual([got[1022], got[1023], got[1024], got[3074], got[3075]], [1, 0, 0, 0, 4]);
  // Both ends of a hole may lie in one page.
  runToEnd(punchHole(vm.mem, file, 4, 12));
  runToEnd(shmemFileRead(vm, file, 0, got));
  assert.deepEqual([got[0], got[1], got[2], got[3]], [1, 0, 0, 1]);
  assert.deepEqual(end(scene), [0, 0]);
});

test("swapoff takes a file's pages back; if one cannot be read the area stays", () => {
  const scene = newScene();
  const { vm, area } = scene;
  const { swap } = vm;
  assert.ok(swap !== null);
  for (let page = 0; page < PAGES; page++) write(scene, page, page + 1);
  takeOut(scene);
  const { device } = area;
  const submit = device.submit.bind(device);
  device.submit = (request) => request.done("EIO");
  assert.equal(runToEnd(swapOff(vm, swap, area)), "ENOMEM");
  assert.equal(read(scene, 0), "SIGBUS");
  device.submit = submit;
  assert.deepEqual([area.writable, swappedOffsets(scene).length], [true, 4]);
});

test("swapoff with every page readable leaves none in swap", () => {
  const scene = newScene();
  const { vm, area, file } = scene;
  assert.ok(vm.swap !== null);
  for (let page = 0; page < PAGES; page++) write(scene, page, page + 1);
  takeOut(scene);
  assert.equal(runToEnd(swapOff(vm, vm.swap, area)), "done");
  assert.deepEqual([swappedOffsets(scene), file.folios.pageCount], [[], 4]);
  for (let page = 0; page < PAGES; page++) assert.equal(read(scene, page), page + 1);
  assert.deepEqual(end(scene), [0, 0]);
});

test("forks share it, in swap too, and it goes with the last of them", () => {
  const scene = newScene();
  const { vm, area } = scene;
  const parent = vm.createMm("parent");
  const vma = vm.mapSharedAnonymous(parent, parent.freeRange(2), VM.read | VM.write);
  const file = vma.mapping;
  assert.ok(file !== null);
  assert.equal(runToEnd(writeUser(vm, parent, vma.startVpn, 0, 8)), "done");
  lruAddDrain(vm.mem);
  runToEnd(madvise(vm, parent, vma.startVpn, vma.endVpn, "MADV_PAGEOUT"));
  const child = forkMm(vm, parent, "child");
  assert.ok(child !== null);
  assert.deepEqual([file.swapped?.size, parent.swapEntries], [1, 0]);
  assert.equal(runToEnd(readUser(vm, child, vma.startVpn, 0)), 8);
  assert.equal(runToEnd(writeUser(vm, child, vma.startVpn, 0, 9)), "done");
  assert.equal(runToEnd(readUser(vm, parent, vma.startVpn, 0)), 9);
  runToEnd(madvise(vm, parent, vma.startVpn, vma.endVpn, "MADV_PAGEOUT"));
  assert.equal(endProcesses(vm), 0);
  assert.deepEqual([file.folios.pageCount, file.swapped?.size, area.slotsInUse], [0, 0, 0]);
});

test("a large folio over the border is kept in part where it cannot be split", () => {
  const scene = newScene();
  const { vm, file } = scene;
  const folio = cachedFolio(vm, file, 0, 1, 2);
  folioGet(vm.mem, folio);
  runToEnd(truncateFile(vm.mem, file, PAGE_SIZE));
  assert.deepEqual([folioNrPages(vm.mem, folio), file.folios.pageCount], [4, 4]);
  folioPut(vm.mem, folio);
  assert.deepEqual(end(scene), [0, 0]);
});

test("a policy that one process sets on shared memory holds for whoever uses a page first", () => {
  const nodes = [0, 1];
  const vm = smallVm({
    pageCount: 64,
    zones: nodes.map((node) => ({ startPfn: 32 * node, spanned: 32, node })),
    distances: nodes.map((from) => nodes.map((to) => 10 + 10 * Math.abs(from - to))),
  });
  vm.shmem = new Shmem(vm);
  supplyPageOut(vm);
  smallSwap(vm, migrateFolio, { slots: 9 });
  const file = vm.shmem.createFile("shm", PAGES * PAGE_SIZE);
  const [one, other] = ["one", "other"].map((name) => vm.createMm(name));
  const vmas = [one, other].map((mm) => vm.mapFile(mm, { ...mm.freeRange(PAGES), pgoff: 0 }, file));
  const from = vmas[0].startVpn + 2;
  assert.equal(mbindPolicy(vm, one, from, vmas[0].endVpn, { mode: "bind", nodes: [1] }), "done");
  const nodeAt = (page: number): number => {
    const folio = file.folios.load(page);
    assert.ok(folio !== null);
    return vm.mem.nodeOf(folio).id;
  };
  const { startVpn, endVpn } = vmas[1];
  for (const page of [1, 3]) runToEnd(writeUser(vm, other, startVpn + page, 0, 7));
  assert.deepEqual([nodeAt(1), nodeAt(3)], [0, 1]);
  lruAddDrain(vm.mem);
  runToEnd(madvise(vm, other, startVpn, endVpn, "MADV_PAGEOUT"));
  assert.equal(file.folios.load(3), null);
  assert.equal(runToEnd(readUser(vm, other, startVpn + 3, 0)), 7);
  assert.equal(nodeAt(3), 1);
});
