/** Reclaim of a page against those who use it: by reference, by fault, by fork, by moving it. */
import assert from "node:assert/strict";
import { ScanControl } from "../../src/callers/reclaim/scan-control.ts";
import { ShrinkPass, shrinkFolioList } from "../../src/callers/reclaim/shrink-folio-list.ts";
import { shrinkInactiveList } from "../../src/callers/reclaim/shrink-inactive.ts";
import { folioPut, folioUnpin } from "../../src/memory/folio-ref.ts";
import { GFP_KERNEL } from "../../src/memory/gfp.ts";
import { folioIsolateLru, folioPutbackLru, lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { mlockFolio } from "../../src/memory/mlock.ts";
import { LRU, type LruList } from "../../src/memory/node.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { listAddTail, listDel, listFirst, listIsEnd } from "../../src/memory/page-list.ts";
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
import { RamSwap, type SwapDevice } from "../../src/vm/swap/swap-device.ts";
import { PolledSwap } from "./polled-device.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

function directControl({ machine }: World): ScanControl {
  return new ScanControl(machine.reclaim, {
    by: "direct",
    gfp: GFP_KERNEL,
    order: 0,
    highestZone: 3,
    pagesToReclaim: 32,
  });
}

/** One batch of a list; says what became of the page, or that there was none. */
export function* reclaim(world: World, lru: LruList): Blocking<string> {
  const { reclaim: reclaimer } = world.machine;
  const before = { ...reclaimer.outcomes };
  const sc = directControl(world);
  yield "reclaimer-begins";
  yield* shrinkInactiveList(sc, reclaimer.nodes[0], lru, 32);
  const names = Object.keys(before) as (keyof typeof before)[];
  return names.find((name) => reclaimer.outcomes[name] > before[name]) ?? "found nothing";
}

/** A page of 7 that its process has not used for long, on a machine with swap. */
function oldPage(world: World, device?: SwapDevice): UserPage {
  const { vm } = world;
  smallSwap(vm, migrateFolio, device === undefined ? {} : { device, slots: 8 });
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

/** What a device writes to is its process's page, through a fork and the write after it. */
function reclaimPinAndFork(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  const { vm, mem } = world;
  function* pinForkAndWrite(): Blocking<string> {
    yield "device-begins";
    const pinned = yield* pinUserPage(vm, page.mm, page.vpn);
    assert.ok(typeof pinned === "number", "the page is there");
    yield "process-forks";
    assert.ok(forkMm(vm, page.mm, "child") !== null, "there is memory");
    assert.equal(yield* writeUser(vm, page.mm, page.vpn, 0, 8), "done");
    mem.frames.writeWord(pinned, 0, 99);
    folioUnpin(mem, pinned);
    return "pinned";
  }
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  world.addTask("device", pinForkAndWrite());
  return finished(world, () => reads(world, page, 99));
}

/** A page that is being written to swap is written to, and reclaimed again once that is over. */
function reclaimSlowlyAndWrite(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const device = new PolledSwap(new RamSwap(mem, 8));
  const page = oldPage(world, device);
  assert.equal(runToEnd(reclaim(world, LRU.inactiveAnon)), "write_begun");
  function* reclaimAgain(): Blocking<string> {
    yield "device-at-work";
    device.open();
    lruAddDrain(mem);
    const list = mem.takeList();
    if (folioIsolateLru(mem, page.folio)) listAddTail(mem, list, page.folio);
    const pass = new ShrinkPass(directControl(world), list, "ignored");
    const freed = yield* shrinkFolioList(pass);
    for (let at = listFirst(mem, list); !listIsEnd(list, at); at = listFirst(mem, list)) {
      listDel(mem, at);
      folioPutbackLru(mem, at as Folio);
    }
    mem.releaseList(list);
    return freed === 1 ? "reclaimed" : "kept";
  }
  function* use(): Blocking<string> {
    yield "user-begins";
    assert.equal(yield* writeUser(vm, page.mm, page.vpn, 0, 8), "done");
    return "wrote";
  }
  world.addTask("reclaimer", reclaimAgain());
  world.addTask("user", use());
  return finished(world, () => reads(world, page, 8));
}

function reclaimAndMove(): RaceRun {
  const world = new World();
  const page = oldPage(world);
  const { tables } = world.vm;
  world.addTask("reclaimer", reclaim(world, LRU.inactiveAnon));
  function* moveMapped(): Blocking<string> {
    yield "mover-begins";
    const isThere = (tables.bits(page.entry) & PTE.present) !== 0;
    return isThere ? yield* moveOnce(world, page.folio) : "found nothing";
  }
  world.addTask("mover", moveMapped());
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
    mutants: [
      {
        what: "the fast pin does not look at the entry again",
        file: "src/vm/gup.ts",
        text: "if (unchanged && entryPfn(tables, entry, vpn) === (page as number)) return page;",
        replacement: "return page;",
        says: /the contents are lost/,
      },
      {
        what: "the fast pin takes hold of a page that nobody has any more",
        file: "src/vm/gup.ts",
        text: "if (!tryGrab(mem, folio, flags)) return null;",
        replacement: "tryGrab(mem, folio, flags);",
        says: /more references put than there are/,
      },
    ],
  },
  {
    name: "a page that is pinned while it is reclaimed stays its process's own through a fork",
    start: reclaimPinAndFork,
    schedules: 2000,
    outcomes: [
      "freed, pinned",
      "held, pinned",
      "pinned, pinned",
      "referenced_once, pinned",
      "still_mapped, pinned",
    ],
    mutants: [
      {
        what: "a pinned page is unmapped for reclaim, and nobody's alone after a fork",
        file: "src/vm/try-to-unmap.ts",
        text: "if (isExclusive && folioMaybeDmaPinned(mem, folio)) return false;",
        replacement: "",
        says: /the contents are lost/,
      },
    ],
  },
  {
    name: "what is written to a page on its way to a slow swap device is not lost to the next reclaim",
    start: reclaimSlowlyAndWrite,
    schedules: 100,
    outcomes: ["kept, wrote", "reclaimed, wrote"],
    mutants: [
      {
        what: "what the processor noted of a write is not taken along when a page is unmapped",
        file: "src/vm/try-to-unmap.ts",
        text: "if (isAnon && isDirty) setFlag(mem, folio, PG.dirty);",
        replacement: "",
        says: /the contents are lost/,
      },
    ],
  },
  {
    name: "a page is reclaimed or moved, or one after the other, and has its contents",
    start: reclaimAndMove,
    schedules: 60,
    outcomes: ["freed, found nothing", "freed, moved", "freed, not isolated"],
    mutants: [
      {
        what: "a mover takes a page off the LRU that reclaim has taken off it",
        file: "src/memory/lru.ts",
        text: "if (!testAndClearFlag(mem, folio, PG.lru)) return false;",
        replacement: "testAndClearFlag(mem, folio, PG.lru);",
        says: /unlinking a page that is on no list/,
      },
    ],
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
      {
        what: "a page is unlocked before it says that it is being written to swap",
        file: "src/vm/swap/swap-io.ts",
        text: "folioStartWriteback(mem, swap.mapping, folio);\n  folioUnlock(mem, folio);",
        replacement:
          'folioUnlock(mem, folio);\n  yield "unlocked";\n' +
          "  folioStartWriteback(mem, swap.mapping, folio);",
        says: /a folio outside the swap cache has no entry/,
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
