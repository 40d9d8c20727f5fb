import assert from "node:assert/strict";
import { test } from "node:test";
import { placeFreeBlock, takeSmallest } from "../memory/buddy.ts";
import { MIGRATE } from "../memory/constants.ts";
import { folioGet, folioTryPin } from "../memory/folio-ref.ts";
import { folioAddLru } from "../memory/lru.ts";
import { lruLink } from "../memory/lru-list.ts";
import { MAPPING_MOVABLE, mappingWord } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { chargeFolio, enablePageExt } from "../memory/page-ext.ts";
import { PG } from "../memory/page-flags.ts";
import { freePages } from "../memory/page-free.ts";
import { listAdd, listDel, listFirst } from "../memory/page-list.ts";
import { SmallDriver } from "../migrate/small-driver.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { mergedPages } from "../vm/ksm/small-ksm.ts";
import { VM } from "../vm/mm.ts";
import { PTE } from "../vm/pte.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  type UserPage,
} from "../vm/small-vm.ts";
import { assertFound, brokenMachines, type Corruption } from "./corruption.ts";
import { checkInvariants, INVARIANTS } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";

/** A machine with something of every kind in it. */
interface Scene {
  readonly machine: Machine;
  readonly anon: UserPage;
  readonly locked: UserPage;
  readonly file: AddressSpace;
  readonly cached: Folio;
  readonly large: UserPage;
  /** Two processes' pages, which KSM has merged. */
  readonly merged: readonly UserPage[];
  /** A driver's page. */
  readonly movable: Folio;
  /** On the first processor's list of single movable pages. */
  readonly pcpPage: Pfn;
}

function newScene(): Scene {
  const machine = smallMachine({
    pageCount: 128,
    zones: [
      { startPfn: 0, spanned: 108, pcp: { high: 16, batch: 2 } },
      { startPfn: 108, spanned: 10, type: "Device" },
      { startPfn: 118, spanned: 10, type: "Device" },
    ],
  });
  const { mem, vm } = machine;
  const anon = anonymousPage(vm, 1);
  sharePage(vm, anon);
  const locked = anonymousPage(vm, 2, VM.read | VM.write | VM.locked);
  const file = vm.cache.createMapping("a file", {});
  const cached = cachedFolio(vm, file, 0, 3);
  mem.flags[cached] |= PG.private;
  folioGet(mem, cached);
  const shmem = vm.cache.createMapping("shmem", {});
  const large = mapFilePage(vm, shmem, cachedFolio(vm, shmem, 8, 4, 2));
  folioTryPin(mem, locked.folio);
  machine.recordHold(locked.folio, 1024);
  const merged = mergedPages(vm, 6, 2);
  // In a batch, and held by it.
  const batched = folioAlloc(mem, movableRequest(0));
  assert.ok(batched !== null);
  folioAddLru(mem, batched);
  machine.recordHold(batched, 1);
  const driver = new SmallDriver(vm.cache);
  const movable = driver.pageOf(driver.add(5));
  const pcpPage = folioAlloc(mem, movableRequest(0));
  assert.ok(pcpPage !== null);
  mem.refcount[pcpPage] = 0;
  freePages(mem, pcpPage, 0);
  return { machine, anon, locked, file, cached, large, merged, movable, pcpPage };
}

/** A page that is out of the free lists and in nobody's hands. */
function nobodysPage({ mem }: Machine, order = 0): Pfn {
  const pfn = takeSmallest(mem, mem.zones[0], order, MIGRATE.movable);
  assert.notEqual(pfn, -1);
  return pfn;
}

/** The first free block of the largest order that there is. */
function largestFree({ mem }: Machine): { pfn: Pfn; order: number } {
  const [zone] = mem.zones;
  const order = zone.freeBlocks.findLastIndex((count) => count > 0);
  return { pfn: listFirst(mem, zone.freeList(order, MIGRATE.movable)), order };
}

const FREE: readonly Corruption<Scene>[] = [
  {
    what: "a free block that is not aligned",
    says: /free block \d+ of order 1: not aligned/,
    corrupt({ machine }) {
      const { mem } = machine;
      const pfn = nobodysPage(machine, 2);
      placeFreeBlock(mem, mem.zones[0], (pfn + 1) as Pfn, 1, MIGRATE.movable);
    },
  },
  {
    what: "a flag on a free block",
    says: /free block \d+ of order \d: flags/,
    corrupt({ machine }) {
      machine.mem.flags[largestFree(machine).pfn] |= PG.uptodate;
    },
  },
  {
    what: "a free block that calls itself smaller",
    says: /its page says order \d/,
    corrupt({ machine }) {
      machine.mem.private[largestFree(machine).pfn]--;
    },
  },
  {
    what: "a reference to a page in the middle of a free block",
    says: /page \d+ has references/,
    corrupt({ machine }) {
      machine.mem.refcount[largestFree(machine).pfn + 1] = 1;
    },
  },
  {
    what: "a flag on a page in the middle of a free block",
    says: /page \d+ has flags/,
    corrupt({ machine }) {
      machine.mem.flags[largestFree(machine).pfn + 1] |= PG.lru;
    },
  },
  {
    what: "a free block over the zone's end",
    says: /free block 116 of order 2: page 118 lies in another zone/,
    corrupt({ machine }) {
      const { mem } = machine;
      const [, low, high] = mem.zones;
      for (const zone of [low, high]) {
        while (takeSmallest(mem, zone, 0, MIGRATE.movable) !== -1);
      }
      placeFreeBlock(mem, low, 116 as Pfn, 2, MIGRATE.movable);
    },
  },
  {
    what: "two free buddies that did not merge",
    says: /its buddy \d+ is free too/,
    corrupt({ machine }) {
      const { mem } = machine;
      const pfn = nobodysPage(machine, 1);
      for (const half of [pfn, pfn + 1]) {
        placeFreeBlock(mem, mem.zones[0], half as Pfn, 0, MIGRATE.movable);
      }
    },
  },
  {
    what: "a block that is on no list and still counted",
    says: /blocks of order \d, counted/,
    corrupt({ machine }) {
      const { pfn } = largestFree(machine);
      listDel(machine.mem, pfn);
    },
  },
  {
    what: "a wrong count of free pages",
    says: /zone Normal: \d+ pages free, counted \d+/,
    corrupt({ machine }) {
      machine.mem.zones[0].freePages++;
    },
  },
];

const PER_CPU: readonly Corruption<Scene>[] = [
  {
    what: "a flag on a per-CPU page",
    says: /per-CPU page \d+ has flags/,
    corrupt({ machine, pcpPage }) {
      machine.mem.flags[pcpPage] |= PG.dirty;
    },
  },
  {
    what: "a reference to a per-CPU page",
    says: /per-CPU page \d+ has references/,
    corrupt({ machine, pcpPage }) {
      machine.mem.refcount[pcpPage]++;
    },
  },
  {
    what: "a wrong count of per-CPU pages",
    says: /zone Normal, cpu 0: \d+ per-CPU pages, counted \d+/,
    corrupt({ machine }) {
      machine.mem.zones[0].pcp[0].count--;
    },
  },
];

const LRU: readonly Corruption<Scene>[] = [
  {
    what: "a folio on an LRU list without the flag",
    says: /folio \d+ is on an LRU list without PG_lru/,
    corrupt({ machine, anon }) {
      machine.mem.flags[anon.folio] &= ~PG.lru;
    },
  },
  {
    what: "a folio on another list than its flags say",
    says: /folio \d+ is on list 0/,
    corrupt({ machine, anon }) {
      machine.mem.flags[anon.folio] |= PG.active;
    },
  },
  {
    what: "the flag without the list",
    says: /PG_lru on \d+ pages, \d+ linked/,
    corrupt({ machine, anon }) {
      listDel(machine.mem, anon.folio);
    },
  },
  {
    what: "a wrong size of a list",
    says: /node 0: 5 pages inactive_file, counted 6/,
    corrupt({ machine }) {
      machine.mem.nodes[0].lruPages[2]++;
    },
  },
  {
    what: "a wrong size of a zone's part of a list",
    says: /zone Normal: \d 0 5 0 1 pages on its lists, counted \d 0 6 0 1/,
    corrupt({ machine }) {
      machine.mem.zones[0].lruPages[2]++;
    },
  },
  {
    what: "a wrong count of unevictable pages",
    says: /node 0: 1 pages unevictable, counted 0/,
    corrupt({ machine }) {
      machine.mem.nodes[0].lruPages[4]--;
    },
  },
  {
    what: "a wrong count of mlocked pages",
    says: /node 0: 1 pages mlocked, counted 0/,
    corrupt({ machine }) {
      machine.mem.nodes[0].mlockedPages = 0;
    },
  },
];

const MAPS: readonly Corruption<Scene>[] = [
  {
    what: "a map count without an entry",
    says: /page \d+: 2 entries, mapcount 3/,
    corrupt({ machine, anon }) {
      machine.mem.mapcount[anon.folio]++;
    },
  },
  {
    what: "an entry for another page",
    says: /page \d+: \d entries, mapcount \d/,
    corrupt({ machine, anon, locked }) {
      machine.vm.tables.set(anon.entry, locked.folio, PTE.present);
    },
  },
  {
    what: "a wrong count of a process's pages",
    says: /process 0: 1 entries, counted 2/,
    corrupt({ anon }) {
      anon.mm.rssPages++;
    },
  },
  {
    what: "a migration entry that a move left behind",
    says: /process 0 page \d+: a migration entry of an unlocked folio/,
    corrupt({ machine, anon }) {
      machine.vm.tables.set(anon.entry, anon.folio, PTE.migrationRead);
    },
  },
];

const FILES: readonly Corruption<Scene>[] = [
  {
    what: "a folio in a slot of a file that is not its own",
    says: /a file page 0: folio \d+ is not this file's/,
    corrupt({ file, cached, anon }) {
      file.folios.replace(0, cached, anon.folio, 1);
    },
  },
  {
    what: "a folio in another slot than its own",
    says: /a file page 0: folio \d+ says 5/,
    corrupt({ machine, cached }) {
      machine.mem.index[cached] = 5;
    },
  },
  {
    what: "a folio that names a file and is not in it",
    says: /5 pages name a file, 4 are in one/,
    corrupt({ file }) {
      file.folios.remove(0, 1);
    },
  },
  {
    what: "a wrong count of a file's pages",
    says: /a file: 1 pages, counted 2/,
    corrupt({ file }) {
      file.folios.pageCount++;
    },
  },
  {
    what: "a wrong count of cached pages",
    says: /node 0: 5 and 0 file and shmem pages, counted 6 and 0/,
    corrupt({ machine }) {
      machine.mem.nodes[0].filePages++;
    },
  },
  {
    what: "a wrong count of shmem",
    says: /node 0: 5 and 4 file and shmem pages, counted 5 and 0/,
    corrupt({ machine, large }) {
      machine.mem.flags[large.folio] |= PG.swapbacked;
    },
  },
];

const REFERENCES: readonly Corruption<Scene>[] = [
  {
    what: "a reference that nobody has",
    says: /folio \d+: 3 references, 2 holders/,
    corrupt({ machine, anon }) {
      folioGet(machine.mem, anon.folio);
    },
  },
  {
    what: "a holder without its reference",
    says: /folio \d+: 1 references, 2 holders/,
    corrupt({ machine, anon }) {
      machine.mem.refcount[anon.folio]--;
    },
  },
  {
    what: "private state without its reference",
    says: /folio \d+: 8 references, 9 holders/,
    corrupt({ machine, large }) {
      machine.mem.flags[large.folio] |= PG.private;
    },
  },
  {
    what: "a page that was freed while a process maps it",
    says: /folio \d+: 0 references, 2 holders/,
    corrupt({ machine, anon }) {
      machine.mem.refcount[anon.folio] = 0;
    },
  },
  {
    what: "a page that its driver let go of and did not put",
    says: /folio \d+: 1 references, 0 holders/,
    corrupt({ machine, movable }) {
      machine.mem.mapping[movable] = MAPPING_MOVABLE;
    },
  },
  {
    what: "a driver's page that was freed under it",
    says: /folio \d+: 0 references, 1 holders/,
    corrupt({ machine, movable }) {
      machine.mem.refcount[movable] = 0;
    },
  },
  {
    what: "a free page that a file still names",
    says: /folio \d+: 0 references, 1 holders/,
    corrupt({ machine, cached }) {
      const pfn = nobodysPage(machine);
      machine.mem.mapping[pfn] = machine.mem.mapping[cached];
    },
  },
];

const CHARGES: readonly Corruption<Scene>[] = [
  {
    what: "a cgroup that is charged for more than it pays for",
    says: /cgroup 2: 1 pages, charged 2/,
    corrupt({ machine, anon }) {
      chargeFolio(machine.mem, anon.folio, 2);
      enablePageExt(machine.mem).charged[2]++;
    },
  },
  {
    what: "a charge for a page that is free",
    says: /page \d+: cgroup 2 pays for it, and it is free/,
    corrupt({ machine }) {
      enablePageExt(machine.mem).memcg[nobodysPage(machine)] = 2;
    },
  },
];

const MOVABLE: readonly Corruption<Scene>[] = [
  {
    what: "a page of a driver that is not there",
    says: /movable page \d+: no driver has id 3/,
    corrupt({ machine, movable }) {
      machine.mem.mapping[movable] = mappingWord(3, MAPPING_MOVABLE);
    },
  },
  {
    what: "a driver's page that went to the LRU",
    says: /movable page \d+ is on the LRU/,
    corrupt({ machine, movable }) {
      listDel(machine.mem, movable);
      lruLink(machine.mem, movable, "head");
    },
  },
  {
    what: "a driver's page that is compound",
    says: /movable page \d+ is not a single page/,
    corrupt({ machine, large }) {
      machine.mem.mapping[large.folio] = mappingWord(0, MAPPING_MOVABLE);
      machine.mem.flags[large.folio] &= ~PG.lru;
    },
  },
  {
    what: "a driver's page that a move left isolated",
    says: /movable page \d+ is left isolated/,
    corrupt({ machine, movable }) {
      machine.mem.flags[movable] |= PG.isolated;
    },
  },
  {
    what: "a driver's page with a map count",
    says: /movable page \d+ is mapped/,
    corrupt({ machine, movable }) {
      machine.mem.mapcount[movable] = 1;
    },
  },
];

const MERGED: readonly Corruption<Scene>[] = [
  {
    what: "a merged page that is marked as one process's",
    says: /merged page \d+: is marked as one process's/,
    corrupt({ machine, merged }) {
      machine.mem.flags[merged[0].folio] |= PG.anonExclusive;
    },
  },
  {
    what: "a merged page whose node is gone",
    says: /merged page \d+: there is no node 0/,
    corrupt({ machine }) {
      machine.vm.ksm.nodes[0] = undefined;
    },
  },
  {
    what: "a node that was not told of a move",
    says: /merged page \d+: node 0 names \d+/,
    corrupt({ machine, merged }) {
      machine.mem.ksmFolios[0] = (merged[0].folio + 1) as Folio;
    },
  },
  {
    what: "a merged page that can be written to",
    says: /merged page \d+: process \d+ may write to it/,
    corrupt({ machine, merged }) {
      const { folio, entry } = merged[1];
      machine.vm.tables.set(entry, folio, machine.vm.tables.bits(entry) | PTE.write);
    },
  },
  {
    what: "a mapping of a merged page that does not count",
    says: /merged page \d+: 2 mappings are known, mapcount 1/,
    corrupt({ machine, merged }) {
      machine.mem.mapcount[merged[0].folio]--;
    },
  },
  {
    what: "an item that its node does not know",
    says: /page \d+: its node 0 does not know it/,
    corrupt({ machine, merged }) {
      const item = machine.vm.ksm.items.get(merged[0].mm)?.get(merged[0].vpn);
      const [node] = machine.vm.ksm.nodes;
      assert.ok(item !== undefined && node !== undefined);
      // One that has been written to since: no mapping tells.
      const entry = merged[0].mm.directory.find(merged[0].vpn);
      machine.vm.tables.set(entry, 0, 0);
      machine.mem.mapcount[merged[0].folio]--;
      node.items = node.items.filter((other) => other !== item);
    },
  },
  {
    what: "an anon_vma that a move still holds",
    says: /anon_vma \d+: 1 references, 0 merged pages/,
    corrupt({ anon }) {
      assert.ok(anon.vma.anonVma !== null);
      anon.vma.anonVma.refcount++;
    },
  },
];

test("nothing is wrong with a machine that has something of every kind", () => {
  const { machine, pcpPage } = newScene();
  assert.equal(machine.mem.refcount[pcpPage], 0);
  assert.ok(machine.mem.zones[0].pcp[0].count > 0);
  for (const { name, check } of INVARIANTS) assert.equal(check(machine), null, name);
  checkInvariants(machine);
});

for (const broken of brokenMachines(INVARIANTS, [
  FREE,
  PER_CPU,
  LRU,
  MAPS,
  FILES,
  REFERENCES,
  CHARGES,
  MOVABLE,
  MERGED,
])) {
  test(`${broken.rule.name}: it finds ${broken.what}`, () => assertFound(newScene(), broken));
}

test("of several rules that are broken each says its own", () => {
  const scene = newScene();
  const { mem } = scene.machine;
  mem.zones[0].freePages++;
  mem.nodes[0].filePages++;
  assert.throws(() => checkInvariants(scene.machine), /pages free, counted \d+; node 0: .* file/);
});

test("a page on a per-CPU list by another way is as bad as one too many", () => {
  const { machine } = newScene();
  const { mem } = machine;
  listAdd(mem, mem.zones[0].pcp[0].lists[0], nobodysPage(machine));
  assert.throws(() => checkInvariants(machine), /per-CPU pages, counted/);
});
