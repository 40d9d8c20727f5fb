/** Large folios across the end of a file that is cut: split, kept in part, or dropped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioTestLarge } from "../memory/folio.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { type AddressSpace, AS } from "../pagecache/address-space.ts";
import { filemapDirtyFolio, folioMarkDirty } from "../pagecache/mark-dirty.ts";
import { punchHole, truncateFile } from "../pagecache/truncate.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "./fault.ts";
import { cachedFolio, endProcesses, mapFilePage, smallVm, type UserPage } from "./small-vm.ts";
import type { Vm } from "./vm.ts";

const ORDER = 2;
const PAGES = 1 << ORDER;

interface Scene {
  readonly vm: Vm;
  readonly file: AddressSpace;
  readonly folio: Folio;
}

/** A file whose four pages are one folio; every word of a page is the page's number plus one. */
function newScene(): Scene {
  const vm = smallVm({ pageCount: 64, frames: byteFrames(64) });
  const ops = { dirtyFolio: filemapDirtyFolio };
  const traits = { flags: AS.largeFolioSupport, sizeBytes: PAGES * PAGE_SIZE, canWriteback: true };
  const file = vm.cache.createMapping("a file", ops, traits);
  const folio = cachedFolio(vm, file, 0, 1, ORDER);
  for (let at = 0; at < PAGES; at++) {
    for (let word = 0; word < 1024; word++) {
      vm.mem.frames.writeWord(vm.mem.pfn(folio + at), word, at + 1);
    }
  }
  return { vm, file, folio };
}

function word({ vm, file }: Scene, offset: number, at: number): number | null {
  const folio = file.folios.load(offset);
  if (folio === null) return null;
  return vm.mem.frames.readWord(vm.mem.pfn(folio + (offset - vm.mem.index[folio])), at);
}

/** Of the four pages: which are cached. */
function cached({ file }: Scene): boolean[] {
  return [0, 1, 2, 3].map((offset) => file.folios.load(offset) !== null);
}

test("a cut splits the folio: what is before the border stays, the rest is free", () => {
  const scene = newScene();
  const { vm, file, folio } = scene;
  const free = vm.mem.zones[0].freePages;
  assert.equal(runToEnd(truncateFile(vm.mem, file, 2 * PAGE_SIZE)), "done");
  lruAddDrain(vm.mem);
  assert.deepEqual(cached(scene), [true, true, false, false]);
  assert.deepEqual([folioTestLarge(vm.mem, folio), vm.mem.refcount[folio]], [false, 1]);
  assert.deepEqual([word(scene, 0, 9), word(scene, 1, 9)], [1, 2]);
  assert.equal(vm.mem.zones[0].freePages, free + 2);
  assert.equal(vm.mem.nodes[0].filePages, 2);
});

test("a cut inside a page of the folio zeroes the rest of that page", () => {
  const scene = newScene();
  const { vm, file } = scene;
  assert.equal(runToEnd(truncateFile(vm.mem, file, PAGE_SIZE + 400)), "done");
  assert.deepEqual(cached(scene), [true, true, false, false]);
  assert.deepEqual([word(scene, 1, 99), word(scene, 1, 100), word(scene, 0, 100)], [2, 0, 1]);
});

test("a hole in the middle leaves the pages on both sides", () => {
  const scene = newScene();
  const { vm, file } = scene;
  assert.equal(runToEnd(punchHole(vm.mem, file, PAGE_SIZE, 3 * PAGE_SIZE)), "done");
  assert.deepEqual(cached(scene), [true, false, false, true]);
  assert.deepEqual([word(scene, 0, 0), word(scene, 3, 0)], [1, 4]);
});

test("processes go on to see what is before the border, each by an entry of its own", () => {
  const scene = newScene();
  const { vm, file, folio } = scene;
  const users: UserPage[] = [mapFilePage(vm, file, folio), mapFilePage(vm, file, folio)];
  runToEnd(truncateFile(vm.mem, file, 2 * PAGE_SIZE));
  for (const { mm, vpn } of users) {
    assert.equal(mm.rssPages, 2);
    assert.equal(runToEnd(readUser(vm, mm, vpn + 1, 5)), 2);
  }
  assert.deepEqual([vm.mem.mapcount[folio], vm.mem.mapcount[folio + 1]], [2, 2]);
  runToEnd(truncateFile(vm.mem, file, 0));
  assert.equal(endProcesses(vm), 0);
});

test("a dirty folio that somebody holds is kept whole, with zeroes behind the border", () => {
  const scene = newScene();
  const { vm, file, folio } = scene;
  runToEnd(folioMarkDirty(vm.mem, file, folio));
  folioGet(vm.mem, folio);
  runToEnd(truncateFile(vm.mem, file, 2 * PAGE_SIZE));
  assert.ok(folioTestLarge(vm.mem, folio) && testFlag(vm.mem, folio, PG.dirty));
  assert.deepEqual(cached(scene), [true, true, true, true]);
  assert.deepEqual([word(scene, 1, 7), word(scene, 2, 7), word(scene, 3, 7)], [2, 0, 0]);
  folioPut(vm.mem, folio);
});

test("a clean folio that somebody holds is dropped: storage has what is before the border", () => {
  const scene = newScene();
  const { vm, file, folio } = scene;
  folioGet(vm.mem, folio);
  runToEnd(truncateFile(vm.mem, file, 2 * PAGE_SIZE));
  assert.deepEqual(cached(scene), [false, false, false, false]);
  assert.equal(vm.mem.refcount[folio], 1);
  folioPut(vm.mem, folio);
});
