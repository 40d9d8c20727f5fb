/** KSM against those who write to, pin, move, give up or fork what it merges. */
import assert from "node:assert/strict";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import { folioTestKsm } from "../../src/memory/mapping-word.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, userPage, writeUser } from "../../src/vm/fault.ts";
import { forkMm } from "../../src/vm/fork.ts";
import { madviseUnmergeable } from "../../src/vm/ksm/madvise.ts";
import { ksmScan } from "../../src/vm/ksm/scan.ts";
import { folioAt, ksmPass, mergeablePages, mergedPages } from "../../src/vm/ksm/small-ksm.ts";
import { anonymousPage, type UserPage } from "../../src/vm/small-vm.ts";
import { exitMm, zapRange } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

function* scan({ vm }: World): Blocking<string> {
  yield* ksmScan(vm, Number.POSITIVE_INFINITY);
  return vm.ksm.pagesShared > 0 ? "merged" : "apart";
}

function read({ vm }: World, { mm, vpn }: UserPage): unknown {
  return runToEnd(readUser(vm, mm, vpn, 0));
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

/** Two equal pages that the next pass would merge, while one of them is written to. */
function mergeAndWrite(): RaceRun {
  const world = new World();
  const { vm } = world;
  const [one, other] = mergeablePages(vm, [5, 5]);
  ksmPass(vm);
  function* write(): Blocking<string> {
    return yield* writeUser(vm, one.mm, one.vpn, 0, 6);
  }
  world.addTask("ksmd", scan(world));
  world.addTask("writer", write());
  return end(world, () => {
    assert.deepEqual([read(world, one), read(world, other)], [6, 5], "a write is lost, or shared");
  });
}

/** Somebody holds a page by a plain reference and writes to its frame, as 6.1's direct I/O does. */
function mergeAndHold(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const [one, other] = mergeablePages(vm, [5, 5]);
  ksmPass(vm);
  function* writeByFrame(): Blocking<string> {
    const page = yield* userPage(vm, one.mm, one.vpn, "write");
    assert.ok(typeof page === "number");
    folioGet(mem, page as Folio);
    yield "holder-at-work";
    mem.frames.writeWord(page, 0, 6);
    folioPut(mem, page as Folio);
    return "written";
  }
  world.addTask("ksmd", scan(world));
  world.addTask("holder", writeByFrame());
  return end(world, () => {
    assert.deepEqual([read(world, one), read(world, other)], [6, 5], "a write is lost, or shared");
  });
}

/** The page that the other is merged into moves. */
function mergeAndMove(): RaceRun {
  const world = new World();
  const pages = mergeablePages(world.vm, [5, 5]);
  ksmPass(world.vm);
  world.addTask("ksmd", scan(world));
  world.addTask("mover", moveOnce(world, pages[1].folio));
  return end(world, () => {
    for (const page of pages) assert.equal(read(world, page), 5, "the contents are lost");
  });
}

/** A third page is to join a merged one, which goes, and whose frame another process gets. */
function joinAndFree(): RaceRun {
  const world = new World();
  const { vm } = world;
  const merged = mergedPages(vm, 5, 2);
  const [third] = mergeablePages(vm, [5]);
  const others: UserPage[] = [];
  function* reuse(): Blocking<string> {
    yield "merged-page-goes";
    for (const { vma, vpn } of merged) yield* zapRange(vm, vma, vpn, vpn + 1);
    for (let more = 0; more < 3; more++) others.push(anonymousPage(vm, 5));
    return "reused";
  }
  world.addTask("ksmd", scan(world));
  world.addTask("others", reuse());
  return end(world, () => {
    for (const { mm, vpn } of others) {
      assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 6)), "done");
    }
    assert.equal(read(world, third), 5, "a page was merged into somebody's own");
  });
}

/** Merged memory is taken back from KSM while its page moves. */
function unmergeAndMove(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const [one, other] = mergedPages(vm, 5, 2);
  function* unmerge(): Blocking<string> {
    return yield* madviseUnmergeable(vm, one.mm, one.vpn, one.vpn + 1);
  }
  world.addTask("mover", moveOnce(world, one.folio));
  world.addTask("process", unmerge());
  return end(world, () => {
    const isMerged = ({ vma, vpn }: UserPage): boolean => folioTestKsm(mem, folioAt(vm, vma, vpn));
    assert.deepEqual([isMerged(one), isMerged(other)], [false, true], "still merged");
    assert.deepEqual([read(world, one), read(world, other)], [5, 5]);
  });
}

/** A process forks while its merged page moves. */
function forkAndMove(): RaceRun {
  const world = new World();
  const { vm } = world;
  const [one, other] = mergedPages(vm, 5, 2);
  let childPage = one;
  function* fork(): Blocking<string> {
    yield "fork-begins";
    const mm = forkMm(vm, one.mm, "child");
    assert.ok(mm !== null);
    childPage = { ...one, mm };
    return "forked";
  }
  world.addTask("mover", moveOnce(world, one.folio as Folio));
  world.addTask("process", fork());
  return end(world, () => {
    for (const page of [one, other, childPage]) {
      assert.equal(read(world, page), 5, "the contents are lost");
    }
  });
}

/** A process ends while ksmd merges a page of it. */
function mergeAndLeave(): RaceRun {
  const world = new World();
  const { vm } = world;
  const [one, other] = [mergeablePages(vm, [5])[0], mergeablePages(vm, [5])[0]];
  ksmPass(vm);
  function* leave(): Blocking<string> {
    yield "leaver-begins";
    yield* exitMm(vm, other.mm);
    return "left";
  }
  world.addTask("ksmd", scan(world));
  world.addTask("leaver", leave());
  return end(world, () => assert.equal(read(world, one), 5, "the contents are lost"));
}

/** ksmd comes by while the page is in no page table. */
function passAndMove(): RaceRun {
  const world = new World();
  const [one, other] = mergedPages(world.vm, 5, 2);
  world.addTask("mover", moveOnce(world, one.folio as Folio));
  world.addTask("ksmd", scan(world));
  return end(world, () => {
    for (const page of [one, other]) assert.equal(read(world, page), 5, "the contents are lost");
  });
}

/** The process whose page was merged ends, and its child has the page by its parent's item. */
function leaveAndMove(): RaceRun {
  const world = new World();
  const { vm } = world;
  const [one, other] = mergedPages(vm, 5, 2);
  const child = forkMm(vm, one.mm, "child");
  assert.ok(child !== null);
  function* leave(): Blocking<string> {
    yield "leaver-begins";
    yield* exitMm(vm, one.mm);
    return "left";
  }
  world.addTask("mover", moveOnce(world, one.folio as Folio));
  world.addTask("leaver", leave());
  return end(world, () => {
    for (const page of [other, { ...one, mm: child }]) {
      assert.equal(read(world, page), 5, "the contents are lost");
    }
  });
}

export const ksmRaces: readonly Race[] = [
  {
    name: "a process that ends while KSM merges a page of it leaves nothing behind",
    start: mergeAndLeave,
    schedules: 20,
    outcomes: ["apart, left", "merged, left"],
    mutants: [
      {
        what: "KSM gives an item a page of a process that has begun to end meanwhile",
        file: "src/vm/ksm/scan.ts",
        text: 'if (outcome === "merged" && anonVma !== null && !mm.isExiting) {',
        replacement: 'if (outcome === "merged" && anonVma !== null) {',
        says: /1 references, 0 merged pages/,
      },
    ],
  },
  {
    name: "a merged page that ksmd comes by while it moves goes back to all who had it",
    start: passAndMove,
    schedules: 20,
    outcomes: ["EAGAIN, merged", "moved, merged"],
    mutants: [
      {
        what: "ksmd forgets a page that it does not find mapped, whoever moves it",
        file: "src/vm/ksm/stable-tree.ts",
        text: "vm.ksm.leaving.push(item);\n  yield* removeFromTreeLocked(vm, item);",
        replacement: "removeFromTree(vm, item);",
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
  {
    name: "where the process ends whose page was merged, its child keeps the page through a move",
    start: leaveAndMove,
    schedules: 20,
    outcomes: ["EAGAIN, left", "moved, left"],
    mutants: [
      {
        what: "a process that ends is forgotten while its page moves",
        file: "src/vm/ksm/stable-tree.ts",
        text: "for (const item of ksm.leaving) if (!isLocked(item)) removeFromTree(vm, item);",
        replacement: "for (const item of ksm.leaving) removeFromTree(vm, item);",
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
  {
    name: "a page that is written to while KSM merges it has what was written, and no other has",
    start: mergeAndWrite,
    schedules: 10,
    outcomes: ["apart, done", "merged, done"],
    mutants: [
      {
        what: "KSM replaces an entry that has changed since it was write-protected",
        file: "src/vm/ksm/merge-page.ts",
        text: 'if (!isSame) return "EFAULT";',
        replacement: "",
        says: /a write is lost|a mapping is removed that was never added/,
      },
    ],
  },
  {
    name: "a page that somebody may write to by its frame is not merged",
    start: mergeAndHold,
    schedules: 10,
    outcomes: ["apart, written", "merged, written"],
    mutants: [
      {
        what: "KSM merges a page that others hold",
        file: "src/vm/ksm/merge-page.ts",
        text: "if (mem.refcount[page] !== holders) return null;",
        replacement: "",
        says: /a write is lost/,
      },
    ],
  },
  {
    name: "a page that KSM merges while it moves is whole, wherever it is",
    start: mergeAndMove,
    schedules: 50,
    outcomes: ["apart, EAGAIN", "apart, moved", "merged, EAGAIN", "merged, moved"],
    mutants: [
      {
        what: "KSM merges a page whose lock another has",
        file: "src/vm/ksm/merge-page.ts",
        text: 'if (!folioTrylock(mem, page)) return "EFAULT";',
        replacement: "folioTrylock(mem, page);",
        says: /unlock of a folio that is not locked/,
      },
    ],
  },
  {
    name: "a merged page that goes while another is to join it is not looked for in its frame",
    start: joinAndFree,
    schedules: 5,
    outcomes: ["apart, reused", "merged, reused"],
    mutants: [
      {
        what: "KSM does not look at a merged page again once it holds it",
        file: "src/vm/ksm/stable-tree.ts",
        text: "if (isNodes(folio)) return folio;",
        replacement: "return folio;",
        says: /a page was merged into somebody's own|merged page|mappings/,
      },
    ],
  },
  {
    name: "memory that is taken back from KSM while its page moves has pages of its own",
    start: unmergeAndMove,
    schedules: 50,
    outcomes: ["moved, done"],
    mutants: [
      {
        what: "KSM takes a page that is moving for none of its own",
        file: "src/vm/ksm/break-ksm.ts",
        text: "yield* migrationEntryWait(vm, entry);\n      continue;",
        replacement: 'return "done";',
        says: /still merged/,
      },
    ],
  },
  {
    name: "where a process forks while its merged page moves, the child keeps it too",
    start: forkAndMove,
    schedules: 20,
    outcomes: ["moved, forked"],
    mutants: [
      {
        what: "a walk looks at those forked first, and so too early for one who forks during it",
        file: "src/vm/ksm/ksm-mappings.ts",
        text: `["the item's process", "those forked from it"]`,
        replacement: `["those forked from it", "the item's process"]`,
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
];
