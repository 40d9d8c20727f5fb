/** Why a folio stays, reason by reason, and what is left of one that goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioTryPin } from "../../memory/folio-ref.ts";
import { GFP } from "../../memory/gfp.ts";
import { folioIsolateLru, lruAddDrain } from "../../memory/lru.ts";
import { folioMarkLazyfree } from "../../memory/lru-moves.ts";
import { type Folio, type Pfn, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { WritepageOutcome } from "../../pagecache/address-space.ts";
import type { Steps } from "../../sched/blocking.ts";
import { VM } from "../../vm/mm.ts";
import { PTE } from "../../vm/pte.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  type UserPage,
} from "../../vm/small-vm.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import { type SwapEntry, swapSlotOf } from "../../vm/swap/swap-entry.ts";
import type { Vm } from "../../vm/vm.ts";
import { FOLIO_OUTCOMES, type FolioOutcome } from "./outcomes.ts";
import type { Reclaimer } from "./reclaimer.ts";
import type { ReclaimRequest } from "./scan-control.ts";
import { scanFor, shrink, smallReclaim } from "./small-reclaim.ts";

/** A file whose owner leaves its pages as `outcome` says: begun means written at once. */
function writtenFile(vm: Vm, outcome: WritepageOutcome, state = 0): Folio {
  function* writepage(_mem: unknown, _mapping: unknown, folio: Folio): Steps<WritepageOutcome> {
    yield "test-writes";
    if (outcome !== "activate") {
      vm.mem.flags[folio] |= state;
      folioUnlock(vm.mem, folio);
    }
    return outcome;
  }
  const file = vm.cache.createMapping("a file", { writepage }, { canWriteback: false });
  const folio = cachedFolio(vm, file, 0, 1);
  vm.mem.flags[folio] |= PG.dirty | PG.reclaim;
  return folio;
}

function cleanFile(vm: Vm): Folio {
  return cachedFolio(vm, vm.cache.createMapping("a file", {}), 0, 1);
}

/** Forgets that the process has used its page since. */
function old(vm: Vm, page: UserPage): UserPage {
  const { tables } = vm;
  tables.set(page.entry, tables.pfn(page.entry), tables.bits(page.entry) & ~PTE.young);
  return page;
}

function oldWithSwap(vm: Vm): Folio {
  smallSwap(vm);
  return old(vm, anonymousPage(vm, 1)).folio;
}

interface Row {
  readonly what: string;
  readonly outcome: FolioOutcome;
  readonly request?: Partial<ReclaimRequest>;
  readonly make: (vm: Vm, reclaimer: Reclaimer) => Folio;
}

const ROWS: readonly Row[] = [
  { what: "a clean file page", outcome: "freed", make: cleanFile },
  {
    what: "an old anonymous page, with swap that is written at once",
    outcome: "freed",
    make: oldWithSwap,
  },
  {
    what: "a page that its process gave up and did not write since",
    outcome: "freed",
    make(vm) {
      const page = old(vm, anonymousPage(vm, 1));
      const { tables } = vm;
      tables.set(page.entry, page.folio, tables.bits(page.entry) & ~PTE.dirty);
      folioMarkLazyfree(vm.mem, page.folio);
      lruAddDrain(vm.mem);
      return page.folio;
    },
  },
  {
    what: "a locked folio",
    outcome: "locked",
    make(vm) {
      const folio = cleanFile(vm);
      assert.ok(folioTrylock(vm.mem, folio));
      return folio;
    },
  },
  {
    what: "a folio that mlock caught after it was isolated",
    outcome: "unevictable",
    make(vm) {
      const folio = cleanFile(vm);
      vm.mem.flags[folio] |= PG.mlocked;
      return folio;
    },
  },
  {
    what: "a folio under writeback",
    outcome: "writeback",
    make(vm) {
      const folio = cleanFile(vm);
      vm.mem.flags[folio] |= PG.writeback;
      return folio;
    },
  },
  {
    what: "kswapd, a folio still under writeback, and others before it",
    outcome: "writeback_immediate",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      const folio = cleanFile(vm);
      vm.mem.flags[folio] |= PG.writeback | PG.reclaim;
      reclaimer.nodes[0].meetsWriteback = true;
      return folio;
    },
  },
  {
    what: "a page that two processes used",
    outcome: "referenced",
    make(vm) {
      const page = anonymousPage(vm, 1);
      sharePage(vm, page);
      return page.folio;
    },
  },
  {
    what: "a page that its process used once",
    outcome: "referenced_once",
    make: (vm) => anonymousPage(vm, 1).folio,
  },
  {
    what: "an anonymous page for who may not start input and output",
    outcome: "no_io",
    request: { gfp: GFP.directReclaim },
    make: oldWithSwap,
  },
  {
    what: "a pinned anonymous page",
    outcome: "pinned",
    make(vm) {
      smallSwap(vm);
      const { folio } = old(vm, anonymousPage(vm, 1));
      assert.ok(folioTryPin(vm.mem, folio));
      return folio;
    },
  },
  {
    what: "an anonymous page without swap",
    outcome: "swap_full",
    make: (vm) => old(vm, anonymousPage(vm, 1)).folio,
  },
  {
    what: "a page of a VMA that is locked, before mlock has seen it",
    outcome: "referenced",
    make(vm) {
      const page = old(vm, anonymousPage(vm, 1));
      page.vma.flags |= VM.locked;
      return page.folio;
    },
  },
  {
    what: "a dirty file page met the first time",
    outcome: "dirty",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      const folio = writtenFile(vm, "started");
      vm.mem.flags[folio] &= ~PG.reclaim;
      reclaimer.nodes[0].meetsDirty = true;
      return folio;
    },
  },
  {
    what: "a dirty file page for a direct reclaim",
    outcome: "dirty",
    make: (vm) => writtenFile(vm, "started"),
  },
  {
    what: "kswapd, a dirty file page that was used by read or write",
    outcome: "dirty_referenced",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      const folio = writtenFile(vm, "started");
      reclaimer.nodes[0].meetsDirty = true;
      vm.mem.flags[folio] |= PG.referenced;
      return folio;
    },
  },
  {
    what: "kswapd, a dirty file page met again and again, whose write is over at once",
    outcome: "freed",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      reclaimer.nodes[0].meetsDirty = true;
      return writtenFile(vm, "started");
    },
  },
  {
    what: "kswapd, a dirty file page whose write takes its time",
    outcome: "write_begun",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      reclaimer.nodes[0].meetsDirty = true;
      return writtenFile(vm, "started", PG.writeback);
    },
  },
  {
    what: "kswapd, a dirty file page that its owner cannot write now",
    outcome: "cannot_write",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      reclaimer.nodes[0].meetsDirty = true;
      return writtenFile(vm, "activate");
    },
  },
  {
    what: "kswapd, a dirty file page that somebody holds",
    outcome: "held_dirty",
    request: { by: "kswapd" },
    make(vm, reclaimer) {
      reclaimer.nodes[0].meetsDirty = true;
      const folio = writtenFile(vm, "started");
      folioGet(vm.mem, folio);
      return folio;
    },
  },
  {
    what: "a dirty page of shared memory, for who may not call filesystems",
    outcome: "no_fs",
    request: { gfp: GFP.directReclaim | GFP.io },
    make(vm) {
      const folio = writtenFile(vm, "started");
      vm.mem.flags[folio] |= PG.swapbacked;
      return folio;
    },
  },
  {
    what: "a file page that somebody holds",
    outcome: "held",
    make(vm) {
      const folio = cleanFile(vm);
      folioGet(vm.mem, folio);
      return folio;
    },
  },
  {
    what: "a file page whose owner keeps its private state",
    outcome: "private_busy",
    make(vm) {
      // biome-ignore lint/correctness/useYield: an owner that refuses at once
      function* releaseFolio(): Steps<boolean> {
        return false;
      }
      const file = vm.cache.createMapping("a file", { releaseFolio });
      const folio = cachedFolio(vm, file, 0, 1);
      vm.mem.flags[folio] |= PG.private;
      folioGet(vm.mem, folio);
      return folio;
    },
  },
];

for (const { what, outcome, request, make } of ROWS) {
  test(`${what}: ${outcome}, ${FOLIO_OUTCOMES[outcome][1]}`, () => {
    const reclaimer = smallReclaim();
    const { vm } = reclaimer;
    const { mem } = vm;
    const folio = make(vm, reclaimer);
    const wasLocked = testFlag(mem, folio, PG.locked);
    const isMlocked = testFlag(mem, folio, PG.mlocked);
    assert.ok(folioIsolateLru(mem, folio), "the page is on the LRU");
    const references = mem.refcount[folio];
    const { stayed, outcomes, pass } = shrink(scanFor(reclaimer, request), [folio]);
    assert.deepEqual(outcomes, [outcome]);
    const isFreed = FOLIO_OUTCOMES[outcome][0] === "free";
    assert.deepEqual(stayed, isFreed ? [] : [folio]);
    assert.equal(pass.reclaimed, isFreed ? 1 : 0);
    if (isFreed) {
      assert.equal(mem.refcount[folio], 0);
      return;
    }
    assert.equal(testFlag(mem, folio, PG.locked), wasLocked);
    const activates = FOLIO_OUTCOMES[outcome][0] === "activate" && !isMlocked;
    assert.equal(testFlag(mem, folio, PG.active), activates && !testFlag(mem, folio, PG.mlocked));
    lruAddDrain(mem);
    if (mem.mapcount[folio] > 0) assert.equal(mem.refcount[folio], references);
  });
}

test("what goes to swap is there, and its process's entry says where", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { device } = smallSwap(vm);
  const page = old(vm, anonymousPage(vm, 7));
  assert.ok(folioIsolateLru(vm.mem, page.folio));
  shrink(scanFor(reclaimer), [page.folio]);
  assert.ok((vm.tables.bits(page.entry) & PTE.swap) !== 0, "the entry names a slot");
  const slot = swapSlotOf(vm.tables.pfn(page.entry) as SwapEntry);
  assert.equal(device.frames?.readWord(slot as Pfn, 0), 7);
  assert.equal(vm.mem.events.vmstat.snapshot().nr_vmscan_write, 1);
});

test("a file's page leaves its place, and what says when it went", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const file = vm.cache.createMapping("a file", {});
  const page = old(vm, mapFilePage(vm, file, cachedFolio(vm, file, 5, 1)));
  assert.ok(folioIsolateLru(vm.mem, page.folio));
  shrink(scanFor(reclaimer), [page.folio]);
  assert.equal(file.folios.load(5), null);
  assert.equal(vm.tables.bits(page.entry), 0);
  assert.ok(file.shadows?.has(5));
  assert.equal(page.mm.rssPages, 0);
});

test("folios are tried from the end of the list, and those that stay keep their order", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { mem } = vm;
  const file = vm.cache.createMapping("a file", {});
  const folios = [0, 1, 2, 3].map((at) => cachedFolio(vm, file, at, at));
  for (const folio of folios) assert.ok(folioIsolateLru(mem, folio));
  for (const at of [0, 2]) folioGet(mem, folios[at]);
  const { stayed, outcomes } = shrink(scanFor(reclaimer), folios);
  assert.deepEqual(outcomes.toSorted(), ["freed", "freed", "held", "held"]);
  assert.deepEqual(stayed, [folios[2], folios[0]]);
});

test("a contiguous range's pages are dropped whether they are in use or not", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const file = vm.cache.createMapping("a file", {});
  const page = mapFilePage(vm, file, cachedFolio(vm, file, 0, 1));
  assert.ok(folioIsolateLru(vm.mem, page.folio));
  assert.deepEqual(shrink(scanFor(reclaimer), [page.folio], "ignored").outcomes, ["freed"]);
});
