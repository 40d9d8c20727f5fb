/**
 * Translations that are remembered, by a processor or by a guest, against those who take the entry
 * away. Each user ends as a processor does that goes on with another process: it forgets them.
 */
import assert from "node:assert/strict";
import { folioLock, folioUnlock } from "../../src/memory/folio-lock.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { MemoryDevice } from "../../src/pagecache/device/block-device.ts";
import { smallFile } from "../../src/pagecache/small-file.ts";
import { folioClearDirtyForIo } from "../../src/pagecache/writeback.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { forkMm } from "../../src/vm/fork.ts";
import { ksmScan } from "../../src/vm/ksm/scan.ts";
import { ksmPass, mergeablePages } from "../../src/vm/ksm/small-ksm.ts";
import type { Mm } from "../../src/vm/mm.ts";
import { PTE } from "../../src/vm/pte.ts";
import { SecondaryMmu } from "../../src/vm/secondary-mmu.ts";
import { anonymousPage, cachedFolio, mapFilePage, type UserPage } from "../../src/vm/small-vm.ts";
import { Tlbs } from "../../src/vm/tlb.ts";
import { zapRange } from "../../src/vm/zap.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

function worldWithTlbs(): World {
  const world = new World();
  world.vm.tlbs = new Tlbs(world.mem.cpuCount);
  return world;
}

/** Writes what is there already, and then 9, by a TLB that is empty before and after. */
function* writeTwice({ vm, mem }: World, { mm, vpn }: UserPage): Blocking<string> {
  vm.tlbs?.flushCpu(mem.cpu);
  yield* writeUser(vm, mm, vpn, 0, 7);
  const outcome = yield* writeUser(vm, mm, vpn, 0, 9);
  vm.tlbs?.flushCpu(mem.cpu);
  return outcome;
}

function read(world: World, { mm, vpn }: Pick<UserPage, "mm" | "vpn">): unknown {
  return runToEnd(readUser(world.vm, mm, vpn, 0));
}

function end(world: World, check: () => void): RaceRun {
  return {
    tasks: world.tasks,
    outcome: () => world.outcome(),
    check() {
      check();
      world.finish();
    },
  };
}

function moveAndWrite(): RaceRun {
  const world = worldWithTlbs();
  const page = anonymousPage(world.vm, 7);
  world.vm.tlbs?.flushCpu(0);
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("writer", writeTwice(world, page));
  return end(world, () => assert.equal(read(world, page), 9, "a write is lost"));
}

/** A thread gives the page up, and another process gets the frame. */
function zapAndWrite(): RaceRun {
  const world = worldWithTlbs();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  vm.tlbs?.flushCpu(0);
  const others: UserPage[] = [];
  function* giveUp(): Blocking<string> {
    yield "thread-begins";
    yield* zapRange(vm, page.vma, page.vpn, page.vpn + 1);
    for (let more = 0; more < 2; more++) others.push(anonymousPage(vm, 5));
    return "given up";
  }
  world.addTask("thread", giveUp());
  world.addTask("writer", writeTwice(world, page));
  return end(world, () => {
    for (const other of others) assert.equal(read(world, other), 5, "a write to a stranger's page");
  });
}

function forkAndWrite(): RaceRun {
  const world = worldWithTlbs();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  vm.tlbs?.flushCpu(0);
  let child: Mm | null = null;
  let atFork: unknown = 7;
  function* fork(): Blocking<string> {
    yield "fork-begins";
    child = forkMm(vm, page.mm, "child");
    atFork = vm.mem.frames.readWord(vm.mem.pfn(vm.tables.pfn(page.entry)), 0);
    return "forked";
  }
  world.addTask("thread", fork());
  world.addTask("writer", writeTwice(world, page));
  return end(world, () => {
    assert.ok(child !== null);
    const { vpn } = page;
    assert.equal(read(world, { mm: child, vpn }), atFork, "the parent's write is in the child");
    assert.equal(read(world, page), 9, "a write is lost");
  });
}

function mergeAndWrite(): RaceRun {
  const world = worldWithTlbs();
  const { vm } = world;
  const [one, other] = mergeablePages(vm, [7, 7]);
  ksmPass(vm);
  vm.tlbs?.flushCpu(0);
  function* scan(): Blocking<string> {
    yield* ksmScan(vm, Number.POSITIVE_INFINITY);
    return vm.ksm.pagesShared > 0 ? "merged" : "apart";
  }
  world.addTask("ksmd", scan());
  world.addTask("writer", writeTwice(world, other));
  return end(world, () => {
    assert.deepEqual([read(world, one), read(world, other)], [7, 9], "a write is lost, or shared");
  });
}

/** A page of a file is cleaned to be written back, and what it holds then is what is written. */
function cleanAndWrite(): RaceRun {
  const world = worldWithTlbs();
  const { vm, mem } = world;
  const file = smallFile(vm.cache, new MemoryDevice(mem), 1);
  const page = mapFilePage(vm, file, cachedFolio(vm, file, 0, 1));
  let writtenBack: number | null = null;
  function* clean(): Blocking<string> {
    yield "flusher-begins";
    yield* folioLock(mem, page.folio);
    const isDirty = yield* folioClearDirtyForIo(mem, file, page.folio);
    if (isDirty) writtenBack = mem.frames.readWord(page.folio, 0);
    folioUnlock(mem, page.folio);
    return isDirty ? "cleaned" : "was clean";
  }
  world.addTask("flusher", clean());
  world.addTask("writer", writeTwice(world, page));
  return end(world, () => {
    assert.equal(read(world, page), 9, "a write is lost");
    const isDirty = (mem.flags[page.folio] & PG.dirty) !== 0;
    const isMarked = isDirty || (vm.tables.bits(page.entry) & PTE.dirty) !== 0;
    assert.ok(isMarked || writtenBack === 9, "a write will never be written back");
  });
}

/** A guest writes twice by page tables of its own. */
function moveAndGuest(): RaceRun {
  const world = new World();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  const secondary = new SecondaryMmu(vm, page.mm);
  function* guest(): Blocking<string> {
    yield* secondary.write(page.vpn, 0, 8);
    const outcome = yield* secondary.write(page.vpn, 0, 9);
    secondary.close();
    return outcome;
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("guest", guest());
  return end(world, () => assert.equal(read(world, page), 9, "a write is lost"));
}

function noFlush(what: string, file: string, text: string, says: RegExp): Mutant {
  return { what, file, text, replacement: "", says };
}

export const staleTranslationRaces: readonly Race[] = [
  {
    name: "no write by a TLB goes to a page after it has been unmapped to be moved",
    start: moveAndWrite,
    schedules: 30,
    outcomes: ["moved, done"],
    mutants: [
      noFlush(
        "a migration entry is set without a flush",
        "src/vm/migration-entry.ts",
        "flushTlbPage(vm, vma.mm, vpn);",
        /a write is lost/,
      ),
    ],
  },
  {
    name: "no write by a TLB goes to a page that was given up and is another's",
    start: zapAndWrite,
    schedules: 5,
    outcomes: ["given up, done"],
    mutants: [
      noFlush(
        "a page is zapped without a flush",
        "src/vm/zap.ts",
        "flushTlbPage(vm, vma.mm, vpn);",
        /a write to a stranger's page/,
      ),
    ],
  },
  {
    name: "no write by a TLB goes to a page that fork has made the child's too",
    start: forkAndWrite,
    schedules: 5,
    outcomes: ["forked, done"],
    mutants: [
      noFlush(
        "fork does not flush what it has write-protected",
        "src/vm/fork.ts",
        "flushTlbRange(vm, parent, vma.startVpn, vma.endVpn);",
        /the parent's write is in the child/,
      ),
    ],
  },
  {
    name: "no write by a TLB goes to a page that KSM has write-protected to compare it",
    start: mergeAndWrite,
    schedules: 20,
    outcomes: ["apart, done", "merged, done"],
    mutants: [
      {
        what: "KSM write-protects without a flush",
        file: "src/vm/ksm/merge-page.ts",
        text: "tables.set(entry, page, kept);\n  flushTlbPage(vm, vma.mm, vpn);",
        replacement: "tables.set(entry, page, kept);",
        says: /a write is lost, or shared/,
      },
    ],
  },
  {
    name: "no write by a TLB goes to a page that was cleaned to be written back, untold",
    start: cleanAndWrite,
    schedules: 20,
    outcomes: ["cleaned, done"],
    mutants: [
      noFlush(
        "a page is cleaned without a flush",
        "src/vm/file-map.ts",
        "flushTlbRange(vm, vma.mm, vpn, vpn + (huge === NO_ENTRY ? 1 : HUGE_PAGES));",
        /a write will never be written back/,
      ),
    ],
  },
  {
    name: "a guest uses no page after it was told to let it go, and none that it had looked up before",
    start: moveAndGuest,
    schedules: 50,
    outcomes: ["EAGAIN, done", "moved, done"],
    mutants: [
      {
        what: "a migration tells a guest nothing",
        file: "src/vm/migration-entry.ts",
        text: "invalidateRangeStart(vma.mm, startVpn, startVpn + pages);",
        replacement: "invalidateRangeStart(vma.mm, 0, 0);",
        says: /a write is lost/,
      },
      {
        what: "a guest maps what it looked up before it was told to let go",
        file: "src/vm/secondary-mmu.ts",
        text: "if (this.changing === 0 && sequence === this.sequence) this",
        replacement: "this",
        says: /a write is lost/,
      },
    ],
  },
];
