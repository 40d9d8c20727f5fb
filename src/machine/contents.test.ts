import assert from "node:assert/strict";
import { test } from "node:test";
import { byteFrames } from "../memory/byte-frames.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { migrateFolio } from "../migrate/callbacks.ts";
import { migratePages } from "../migrate/migrate-pages.ts";
import { AllocTarget, isolateForMigration } from "../migrate/small-migration.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { runToEnd } from "../sched/run.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  touchPage,
  type UserPage,
} from "../vm/small-vm.ts";
import { zapRange } from "../vm/zap.ts";
import { fillContents, verifyContents } from "./contents.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";

const SEED = 5;

interface Scene {
  readonly machine: Machine;
  /** Two pages of one process, the first shared with another. */
  readonly anon: UserPage;
  readonly shared: UserPage;
  readonly file: AddressSpace;
  /** Four pages, mapped. */
  readonly large: Folio;
  readonly filled: number;
}

function newScene(contents: "bytes" | "tokens" = "bytes"): Scene {
  const frames = contents === "bytes" ? { frames: byteFrames(64) } : {};
  const machine = smallMachine({ pageCount: 64, ...frames });
  const { vm } = machine;
  const anon = anonymousPage(vm, 1);
  const shared = sharePage(vm, anon);
  const file = vm.cache.createMapping("a file", { migrateFolio });
  cachedFolio(vm, file, 0, 1);
  const large = cachedFolio(vm, file, 8, 1, 2);
  mapFilePage(vm, file, large);
  return { machine, anon, shared, file, large, filled: fillContents(machine, SEED) };
}

function mismatched({ machine, filled }: Scene, seed = SEED): number {
  const { pages, mismatched } = verifyContents(machine, seed, filled);
  assert.equal(pages, filled);
  return mismatched;
}

test("each page that a process or a file reaches is filled once, with contents of its own", () => {
  const scene = newScene();
  assert.equal(scene.filled, 1 + 1 + 4);
  assert.equal(mismatched(scene), 0);
  const { mem } = scene.machine;
  const words = new Set<number>();
  for (let pfn = 0; pfn < 64; pfn++) {
    if (mem.mapping[pfn] !== 0 || mem.mapcount[pfn] > 0)
      words.add(mem.frames.readWord(pfn as Pfn, 9));
  }
  assert.equal(words.size, 6);
});

test("another seed has other contents on every page", () => {
  const scene = newScene();
  assert.equal(mismatched(scene, SEED + 1), scene.filled);
});

test("every page is as it was after all have moved", () => {
  for (const contents of ["bytes", "tokens"] as const) {
    const scene = newScene(contents);
    const { machine, anon, file, large } = scene;
    const { mem, vm } = machine;
    const list = mem.takeList();
    for (const folio of [anon.folio, file.folios.load(0), large]) {
      assert.ok(folio !== null && isolateForMigration(mem, folio, list));
    }
    const target = new AllocTarget(mem);
    const { notMoved } = runToEnd(migratePages(vm, list, target, "sync", "compaction"));
    mem.releaseList(list);
    assert.deepEqual([notMoved, target.given.length], [0, 3]);
    assert.equal(mismatched(scene), 0);
    checkInvariants(machine);
  }
});

test("one wrong bit is found, in memory of a process and in any page of a file's large folio", () => {
  for (const pick of [
    ({ anon }: Scene) => anon.folio,
    ({ large }: Scene) => (large + 3) as Pfn,
    ({ file }: Scene) => file.folios.load(0) ?? assert.fail("the page is there"),
  ]) {
    const scene = newScene();
    const { frames } = scene.machine.mem;
    const page = pick(scene);
    frames.writeWord(page, 1023, frames.readWord(page, 1023) ^ 1);
    assert.equal(mismatched(scene), 1);
  }
});

test("two pages that changed places are both found", () => {
  const scene = newScene();
  const { large, machine } = scene;
  const { frames } = machine.mem;
  const spare = 63 as Pfn;
  frames.copy(spare, large);
  frames.copy(large, (large + 1) as Pfn);
  frames.copy((large + 1) as Pfn, spare);
  assert.equal(mismatched(scene), 2);
});

test("a page that its process, or its file, no longer reaches is found", () => {
  const scene = newScene();
  const { machine, anon, shared } = scene;
  for (const { vma, vpn } of [anon, shared]) runToEnd(zapRange(machine.vm, vma, vpn, vpn + 1));
  assert.equal(verifyContents(machine, SEED, scene.filled).mismatched, 1);
  const other = newScene();
  other.file.folios.remove(0, 1);
  assert.equal(verifyContents(other.machine, SEED, other.filled).mismatched, 1);
});

test("a page that is more than there was is found", () => {
  const scene = newScene();
  const { machine, file } = scene;
  cachedFolio(machine.vm, file, 20, 1);
  assert.ok(verifyContents(machine, SEED, scene.filled).mismatched > 0);
});

test("a page that two processes shared and no longer do is found, right bytes or not", () => {
  const scene = newScene();
  const { machine, shared } = scene;
  const { vm, mem } = machine;
  runToEnd(zapRange(vm, shared.vma, shared.vpn, shared.vpn + 1));
  const copy = touchPage(vm, shared.vma, shared.vpn, 0);
  mem.frames.copy(copy.folio, scene.anon.folio);
  assert.equal(mismatched(scene), 1);
});
