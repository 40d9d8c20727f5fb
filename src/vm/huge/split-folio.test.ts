/** Splitting a folio that huge entries map: what the records of soft offline count and trace. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../../events/events.ts";
import { VM_EVENT, type VmEventName } from "../../events/vmstat.ts";
import { folioTestLarge } from "../../memory/folio.ts";
import { folioGet, folioPut, folioTryPin } from "../../memory/folio-ref.ts";
import { folioIsolateLru, folioPutbackLru, lruAddDrain } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listDel, listFirst, listIsEnd, listLength } from "../../memory/page-list.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { forkMm } from "../fork.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { endProcesses, hugePage, smallVm, type UserPage } from "../small-vm.ts";
import { splitFolioToList } from "../split-folio.ts";
import type { Vm } from "../vm.ts";
import { unmapRange } from "../zap.ts";

const COUNTED: readonly VmEventName[] = [
  "thp_split_page",
  "thp_split_page_failed",
  "thp_split_pmd",
  "thp_deferred_split_page",
];

function newScene(): { vm: Vm; page: UserPage } {
  const vm = smallVm({ pageCount: 4096 });
  const page = hugePage(vm, 7);
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn + 300, 0, 8)), "done");
  return { vm, page };
}

function counts({ mem }: Vm): number[] {
  return COUNTED.map((name) => mem.events.vmstat.counts[VM_EVENT[name]]);
}

/** Isolates, locks and splits; all pieces go back to the LRU. How many there were besides. */
function split(vm: Vm, folio: Folio): { outcome: string; pieces: number } {
  const { mem } = vm;
  const list = mem.takeList();
  assert.ok(folioIsolateLru(mem, folio));
  mem.flags[folio] |= PG.locked;
  const outcome = runToEnd(splitFolioToList(vm, folio, list));
  mem.flags[folio] &= ~PG.locked;
  const pieces = listLength(mem, list);
  for (let piece = listFirst(mem, list); !listIsEnd(list, piece); piece = listFirst(mem, list)) {
    listDel(mem, piece);
    folioPutbackLru(mem, piece as Folio);
  }
  folioPutbackLru(mem, folio);
  lruAddDrain(mem);
  mem.releaseList(list);
  return { outcome, pieces };
}

test("a folio mapped whole becomes 512 that are mapped alone, as a kernel counted and traced it", () => {
  const { vm, page } = newScene();
  const { mm, vpn, folio } = page;
  const trace = new TraceLines();
  vm.mem.events.trace = trace;
  assert.deepEqual(split(vm, folio), { outcome: "split", pieces: 511 });
  vm.mem.events.trace = null;
  // Linux 6.1 recorded these for MADV_SOFT_OFFLINE of a page of a THP.
  assert.deepEqual(counts(vm), [1, 0, 1, 1]);
  assert.equal(trace.lines.filter((line) => line.startsWith("remove_migration_pte")).length, 512);
  assert.equal(trace.lines.length, 512);
  assert.equal(mm.directory.findHuge(vpn), NO_ENTRY);
  for (const at of [0, 300, 511]) {
    const page = (folio + at) as Folio;
    assert.equal(folioTestLarge(vm.mem, page), false);
    assert.deepEqual([vm.mem.mapcount[page], vm.mem.index[page]], [1, vpn + at]);
    assert.notEqual(vm.mem.flags[page] & PG.anonExclusive, 0);
    const bits = vm.tables.bits(mm.directory.find(vpn + at));
    assert.equal(bits & (PTE.present | PTE.write), PTE.present | PTE.write);
  }
  assert.equal(vm.mem.nodes[0].deferredSplitCount, 0, "a folio that is split is queued no more");
  assert.equal(runToEnd(readUser(vm, mm, vpn + 300, 0)), 8);
  assert.equal(endProcesses(vm), 0);
});

test("mapped whole by one process and in part by another, it is split for both", () => {
  const { vm, page } = newScene();
  const child = forkMm(vm, page.mm, "child");
  assert.ok(child !== null);
  runToEnd(unmapRange(vm, child, page.vpn, page.vpn + 100));
  assert.equal(split(vm, page.folio).outcome, "split");
  assert.deepEqual(
    [0, 99, 100].map((at) => vm.mem.mapcount[page.folio + at]),
    [1, 1, 2],
  );
  assert.equal(runToEnd(readUser(vm, child, page.vpn + 300, 0)), 8);
  assert.equal(endProcesses(vm), 0);
});

test("pages that nobody maps are free once the folio is split", () => {
  const { vm, page } = newScene();
  const { mm, vpn, folio } = page;
  runToEnd(unmapRange(vm, mm, vpn + 256, vpn + 512));
  assert.equal(split(vm, folio).outcome, "split");
  assert.deepEqual(
    [255, 256, 511].map((at) => vm.mem.refcount[folio + at]),
    [1, 0, 0],
  );
  assert.equal(endProcesses(vm), 0);
});

test("a reference from outside leaves the folio and its huge entry as they were", () => {
  const { vm, page } = newScene();
  folioGet(vm.mem, page.folio);
  const bits = vm.tables.bits(page.entry);
  assert.deepEqual(split(vm, page.folio), { outcome: "EAGAIN", pieces: 0 });
  assert.equal(vm.tables.bits(page.entry), bits);
  assert.deepEqual(counts(vm), [0, 1, 0, 0], "nothing was unmapped for it");
  folioPut(vm.mem, page.folio);
});

test("a pin that comes after the count of references leaves it mapped, page by page", () => {
  const { vm, page } = newScene();
  const { mem } = vm;
  const { folio } = page;
  const list = mem.takeList();
  assert.ok(folioIsolateLru(mem, folio));
  mem.flags[folio] |= PG.locked;
  // A device takes the place of the isolation's reference: the sum is what it should be.
  assert.ok(folioTryPin(mem, folio));
  mem.refcount[folio]--;
  assert.equal(runToEnd(splitFolioToList(vm, folio, list)), "EAGAIN");
  assert.deepEqual([mem.refcount[folio], mem.mapcount[folio + 511]], [513, 1]);
  assert.equal(page.mm.rssPages, 512);
  assert.deepEqual(counts(vm), [0, 1, 1, 0]);
});
