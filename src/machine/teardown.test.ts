import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioGet, folioTryPin } from "../memory/folio-ref.ts";
import { folioAddLru } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { VM } from "../vm/mm.ts";
import { folioGetAnonVma } from "../vm/rmap.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  type UserPage,
} from "../vm/small-vm.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

interface Scene {
  readonly machine: Machine;
  readonly anon: UserPage;
  readonly file: AddressSpace;
  readonly cached: Folio;
}

function newScene(): Scene {
  const machine = smallMachine();
  const { vm } = machine;
  const anon = anonymousPage(vm, 1);
  const file = vm.cache.createMapping("a file", {});
  return { machine, anon, file, cached: cachedFolio(vm, file, 0, 3) };
}

test("a machine with processes, files, pins, batches and the kernel's own pages leaves nothing", () => {
  const { machine, anon, file, cached } = newScene();
  const { mem, vm } = machine;
  sharePage(vm, anon);
  anonymousPage(vm, 2, VM.read | VM.write | VM.locked);
  mapFilePage(vm, file, cached);
  mapFilePage(vm, file, cachedFolio(vm, file, 8, 1, 3));
  mem.flags[cached] |= PG.private | PG.dirty;
  folioGet(mem, cached);
  folioTryPin(mem, anon.folio);
  machine.recordHold(anon.folio, 1024);
  const batched = folioAlloc(mem, movableRequest(0));
  const slab = folioAlloc(mem, movableRequest(0));
  const poisoned = folioAlloc(mem, movableRequest(0));
  assert.ok(batched !== null && slab !== null && poisoned !== null);
  for (const folio of [batched, slab, poisoned]) machine.recordHold(folio, 1);
  folioAddLru(mem, batched);
  mem.flags[slab] |= PG.slab;
  mem.flags[poisoned] |= PG.hwpoison;
  teardown(machine);
  assert.equal(mem.zones[0].freePages, 62, "63, and one is poisoned");
  assert.equal(machine.holds.size, 0);
});

const LEAKS: readonly (readonly [what: string, says: RegExp, leak: (scene: Scene) => void])[] = [
  [
    "a reference to a file's folio",
    /pages left on the LRU: 1|frames leaked/,
    ({ machine, cached }) => folioGet(machine.mem, cached),
  ],
  [
    "a page that nobody freed",
    /frames leaked: free and usable are 62 63/,
    ({ machine }) => assert.ok(folioAlloc(machine.mem, movableRequest(0)) !== null),
  ],
  ["a list", /page lists leaked: 1/, ({ machine }) => assert.ok(machine.mem.takeList() > 0)],
  [
    "a page table",
    /page tables leaked: 1/,
    ({ machine }) => assert.ok(machine.vm.tables.takeLeaf() >= 0),
  ],
  [
    "a huge entry",
    /huge entries leaked: 1/,
    ({ machine }) => assert.ok(machine.vm.tables.takeHuge() >= 0),
  ],
  [
    "a folio queued to be split",
    /folios left queued to be split: 1/,
    ({ machine }) => {
      machine.mem.nodes[0].deferredSplitCount++;
    },
  ],
  [
    "an anon_vma",
    /anon_vmas leaked: 1/,
    ({ machine, anon }) => assert.ok(folioGetAnonVma(machine.vm, anon.folio) !== null),
  ],
  [
    "a page counted as isolated",
    /pages left isolated on node 0 0 1/,
    ({ machine }) => {
      machine.mem.nodes[0].isolatedPages[1]++;
    },
  ],
  [
    "a page counted on the LRU",
    /pages left on the LRU: 1/,
    ({ machine }) => {
      machine.mem.nodes[0].lruPages[2]++;
    },
  ],
  [
    "a page counted on a zone's part of the LRU",
    /pages left on a zone's LRU: 1/,
    ({ machine }) => {
      machine.mem.zones[0].lruPages[3]++;
    },
  ],
  [
    "a page counted in the page cache",
    /pages left in the page cache: 1/,
    ({ machine }) => {
      machine.mem.nodes[0].filePages++;
    },
  ],
  [
    "a page counted as shmem",
    /pages left counted as shmem: 1/,
    ({ machine }) => {
      machine.mem.nodes[0].shmemPages++;
    },
  ],
  [
    "a page counted as mlocked",
    /pages left counted as mlocked: 1/,
    ({ machine }) => {
      machine.mem.nodes[0].mlockedPages++;
    },
  ],
  [
    "a lock on a file's folio",
    /a folio is still locked at teardown/,
    ({ machine, cached }) => assert.ok(folioTrylock(machine.mem, cached)),
  ],
  [
    "a sleeper on a folio",
    /tasks left waiting for folios: 1/,
    ({ machine }) => {
      machine.mem.waiters.set(9 as Folio, machine.mem.nodes[0].throttled);
    },
  ],
  ["a page lost from its file", /frames leaked|pages left/, ({ file }) => file.folios.remove(0, 1)],
];

for (const [what, says, leak] of LEAKS) {
  test(`teardown finds ${what} that was left behind`, () => {
    const scene = newScene();
    leak(scene);
    assert.throws(() => teardown(scene.machine), { name: "InvariantError", message: says });
  });
}

test("a hold has at least one reference, and holds of one folio add up", () => {
  const { machine, anon } = newScene();
  assert.throws(() => machine.recordHold(anon.folio, 0), /a hold of no references/);
  for (const count of [1, 2]) {
    machine.mem.refcount[anon.folio] += count;
    machine.recordHold(anon.folio, count);
  }
  assert.equal(machine.holds.get(anon.folio), 3);
  machine.dropHolds();
  assert.equal(machine.mem.refcount[anon.folio], 1);
});
