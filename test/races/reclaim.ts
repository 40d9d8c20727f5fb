/** Reclaim of a page against those who use it: by reference, by fault, by fork, by moving it. */
import assert from "node:assert/strict";
import { ScanControl } from "../../src/callers/reclaim/scan-control.ts";
import { shrinkInactiveList } from "../../src/callers/reclaim/shrink-inactive.ts";
import { folioPut, folioUnpin } from "../../src/memory/folio-ref.ts";
import { GFP_KERNEL } from "../../src/memory/gfp.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { mlockFolio } from "../../src/memory/mlock.ts";
import { LRU, type LruList } from "../../src/memory/node.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { filemapDirtyFolio, folioMarkDirty } from "../../src/pagecache/mark-dirty.ts";
import { filemapGetFolio } from "../../src/pagecache/page-cache.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { forkMm } from "../../src/vm/fork.ts";
import { pinUserPage } from "../../src/vm/gup.ts";
import { VM } from "../../src/vm/mm.ts";
import { PTE } from "../../src/vm/pte.ts";
import { anonymousPage, cachedFolio, type UserPage } from "../../src/vm/small-vm.ts";
import { smallSwap } from "../../src/vm/swap/small-swap.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

/** One batch of a list; says what became of the page, or that there was none. */
export function* reclaim({ machine }: World, lru: LruList): Blocking<string> {
  const { reclaim: reclaimer } = machine;
  const before = { ...reclaimer.outcomes };
  const sc = new ScanControl(reclaimer, {
    by: "direct",
    gfp: GFP_KERNEL,
    order: 0,
    highestZone: 3,
    pagesToReclaim: 32,
  });
  yield "reclaimer-begins";
  yield* shrinkInactiveList(sc, reclaimer.nodes[0], lru, 32);
  const names = Object.keys(before) as (keyof typeof before)[];
  return names.find((name) => reclaimer.outcomes[name] > before[name]) ?? "found nothing";
}

/** A page of 7 that its process has not used for long, on a machine with swap. */
function oldPage(world: World): UserPage {
  const { vm } = world;
  smallSwap(vm, migrateFolio);
  const page = anonymousPage(vm, 7);
  vm.tables.set(page.entry, page.folio, vm.tables.bits(page.entry) & ~PTE.young);
  return page;
}

function finished(world: World, check: () => void): RaceRun {
  return {
    tasks: world.tasks,
    check: () => {
      lruAddDrain(world.mem);
      check();
      world.finish();
    },
    outcome: () => world.outcome(),
  };
}

function reads({ vm }: World, { mm, vpn }: Pick<UserPage, "mm" | "vpn">, value: number): void {
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), value, "the contents are lost");
}

function reclaimAndUse(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  function* use(): Blocking<string> {
    yield "user-begins";
    assert.equal(yield* writeUser(world.vm, page.mm, page.vpn, 0, 8), "done");
    return "wrote";
  }
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  world.addTask("user", use());
  return finished(world, () => reads(world, page, 8));
}

function reclaimAndPin(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  const { vm, mem } = world;
  function* useByDevice(): Blocking<string> {
    yield "device-begins";
    const pinned = yield* pinUserPage(vm, page.mm, page.vpn);
    assert.ok(typeof pinned === "number", "the page is there");
    yield "device-at-work";
    mem.frames.writeWord(pinned, 0, 99);
    folioUnpin(mem, pinned);
    return "pinned";
  }
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  world.addTask("device", useByDevice());
  return finished(world, () => reads(world, page, 99));
}

function reclaimAndMove(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  world.addTask("mover", moveOnce(world, page.folio));
  return finished(world, () => reads(world, page, 7));
}

function reclaimAndFork(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  const { vm } = world;
  function* fork(): Blocking<string> {
    yield "parent-begins";
    const child = forkMm(vm, page.mm, "child");
    assert.ok(child !== null, "there is memory");
    yield "child-begins";
    assert.equal(yield* writeUser(vm, child, page.vpn, 0, 8), "done");
    return "forked";
  }
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  world.addTask("parent", fork());
  return finished(world, () => {
    reads(world, page, 7);
    const child = vm.mms.find((mm) => mm?.name === "child");
    assert.ok(child !== undefined);
    reads(world, { mm: child, vpn: page.vpn }, 8);
  });
}

/** mlock: says so first, then takes the page that is there, then brings in what is not. */
function reclaimAndLock(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  const { vm, mem } = world;
  const { tables } = vm;
  function* lock(): Blocking<string> {
    yield "locker-begins";
    page.vma.flags |= VM.locked;
    yield "locker-has-said";
    const isThere = (tables.bits(page.entry) & PTE.present) !== 0;
    if (isThere) mlockFolio(mem, tables.pfn(page.entry) as Folio);
    lruAddDrain(mem);
    yield "locker-populates";
    assert.equal(yield* readUser(vm, page.mm, page.vpn, 0), 7, "the contents are lost");
    return isThere ? "found it" : "brought it";
  }
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  world.addTask("locker", lock());
  return finished(world, () => {
    const kept = PG.lru | PG.mlocked | PG.unevictable;
    const folio = tables.pfn(page.entry);
    assert.ok((tables.bits(page.entry) & PTE.present) !== 0, "a locked page is out");
    assert.equal(mem.flags[folio] & kept, kept, "a locked page is evictable");
  });
}

/** Somebody finds the file's page, writes to it and says so: without its lock, as a device does. */
function* writeByReference(world: World, file: AddressSpace): Blocking<string> {
  const { mem } = world;
  yield "writer-begins";
  const folio: Folio | null = yield* filemapGetFolio(mem, file, 0);
  if (folio === null) return "came too late";
  yield "writer-holds";
  mem.frames.writeWord(folio, 0, 99);
  yield* folioMarkDirty(mem, file, folio);
  yield "writer-done";
  folioPut(mem, folio);
  return "wrote";
}

function reclaimAndHold(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const file = vm.cache.createMapping("a file", { dirtyFolio: filemapDirtyFolio });
  cachedFolio(vm, file, 0, 1);
  world.addTask("reclaimer", reclaim(world, LRU.inactiveFile));
  world.addTask("writer", writeByReference(world, file));
  return finished(world, () => {
    if (world.log[1] !== "wrote") return;
    const folio = file.folios.load(0);
    assert.ok(folio !== null && (mem.flags[folio] & PG.dirty) !== 0, "a write is lost");
    assert.equal(mem.frames.readWord(folio, 0), 99);
  });
}

const FREEZES_ALL: Mutant = {
  what: "reclaim takes a page away whoever holds it",
  file: "src/callers/reclaim/remove-mapping.ts",
  text: "if (!folioRefFreeze(mem, folio, expected)) return false;",
  replacement: "mem.refcount[folio] = 0;",
  says: /free of a page with references|put of a folio that nobody holds|references|frozen|a write is lost|contents/,
};

const NOT_LOOKED_AT_AGAIN: Mutant = {
  what: "reclaim does not look again whether a page has become dirty",
  file: "src/callers/reclaim/remove-mapping.ts",
  text: "if (testFlag(mem, folio, PG.dirty)) {",
  replacement: "if (expected === 0) {",
  says: /a write is lost/,
};

export const reclaimRaces: readonly Race[] = [
  {
    name: "a page that its process writes while it is reclaimed has what was written",
    start: reclaimAndUse,
    schedules: 500,
    outcomes: ["freed, wrote", "held, wrote", "referenced_once, wrote"],
    mutants: [FREEZES_ALL],
  },
  {
    name: "a page that a device pins while it is reclaimed has what the device wrote",
    start: reclaimAndPin,
    schedules: 1000,
    outcomes: ["freed, pinned", "held, pinned", "pinned, pinned", "still_mapped, pinned"],
    mutants: [],
  },
  {
    name: "a page is reclaimed or moved, or one after the other, and has its contents",
    start: reclaimAndMove,
    schedules: 25,
    outcomes: ["freed, moved", "freed, not isolated"],
    mutants: [],
  },
  {
    name: "a page that is forked while it is reclaimed is the parent's and the child's",
    start: reclaimAndFork,
    schedules: 3000,
    outcomes: ["freed, forked", "held, forked"],
    mutants: [FREEZES_ALL],
  },
  {
    name: "a page that is mlocked while it is reclaimed is in memory and stays there",
    start: reclaimAndLock,
    schedules: 500,
    outcomes: [
      "found nothing, found it",
      "freed, brought it",
      "held, brought it",
      "referenced, found it",
      "still_mapped, found it",
      "unevictable, found it",
      "write_begun, brought it",
    ],
    mutants: [
      {
        what: "reclaim puts back what was mlocked meanwhile as it took it",
        file: "src/callers/reclaim/putback.ts",
        text: "if (!folioEvictable(mem, folio)) {",
        replacement: "if (mem.refcount[folio] === 0) {",
        says: /a locked page is evictable/,
      },
    ],
  },
  {
    name: "a write by reference to a page of a file is not lost to reclaim",
    start: reclaimAndHold,
    schedules: 150,
    outcomes: ["dirty, wrote", "freed, came too late", "held, wrote"],
    mutants: [NOT_LOOKED_AT_AGAIN, FREEZES_ALL],
  },
];
