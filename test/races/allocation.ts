/** Allocations that wait: what others do meanwhile, to the free lists and to the waiter's entry. */
import assert from "node:assert/strict";
import { Capture, withCapture } from "../../src/memory/capture.ts";
import { MIGRATE } from "../../src/memory/constants.ts";
import { folioPut } from "../../src/memory/folio-ref.ts";
import type { GfpRequest } from "../../src/memory/gfp.ts";
import type { Folio, Pfn } from "../../src/memory/memmap.ts";
import {
  type AllocRequest,
  allocPages,
  folioAlloc,
  movableRequest,
} from "../../src/memory/page-alloc.ts";
import { freePages } from "../../src/memory/page-free.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { anonymousPage, sharePage } from "../../src/vm/small-vm.ts";
import { unmapVma } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

const ORDER = 2;
/** Out of an unmovable pageblock, where blocks smaller than a pageblock may be captured too. */
const SINGLE: AllocRequest = { ...movableRequest(0), migratetype: MIGRATE.unmovable };

function take(world: World, order: number): Folio {
  const folio = folioAlloc(world.mem, { ...SINGLE, order });
  assert.ok(folio !== null);
  return folio;
}

/** Frees its four pages one by one, as a move does, and waits for the block that they make. */
function* compact({ mem }: World, pages: readonly Folio[]): Blocking<string> {
  const capture = new Capture(mem.zones[0], ORDER);
  function* freeAll(): Blocking<void> {
    for (const page of pages) {
      yield "compactor-frees";
      folioPut(mem, page);
    }
  }
  yield* withCapture(mem, capture, freeAll);
  assert.equal(capture.page, pages[0], "the compactor did not get the block that it made");
  freePages(mem, capture.page, ORDER);
  return "captured its own";
}

/** Frees a block and takes one: there is its own at least. */
function* freeAndTake({ mem }: World, block: Folio): Blocking<string> {
  yield "other-begins";
  folioPut(mem, block);
  yield "other-freed";
  const again = folioAlloc(mem, { ...SINGLE, order: ORDER });
  assert.ok(again !== null, "a block that another task freed was captured");
  yield "other-took";
  folioPut(mem, again);
  return "took one";
}

function captureAndAllocation(): RaceRun {
  const world = new World();
  const { mem } = world;
  mem.pageblockFlags.fill(MIGRATE.unmovable);
  let first = take(world, 0);
  for (; first % 4 !== 0; first = take(world, 0)) world.machine.recordHold(first, 1);
  const pages = [first, take(world, 0), take(world, 0), take(world, 0)];
  assert.equal(pages[3], first + 3, "four pages that make a block");
  const block = take(world, ORDER);
  for (;;) {
    const rest = folioAlloc(mem, SINGLE);
    if (rest === null) break;
    world.machine.recordHold(rest, 1);
  }
  world.addTask("compactor", compact(world, pages));
  world.addTask("other", freeAndTake(world, block));
  return { tasks: world.tasks, check: () => world.finish(), outcome: () => world.outcome() };
}

/** A machine on which room has to be made for each page that a process needs. */
function worldWithoutRoom(): World {
  const zone = { startPfn: 0, spanned: 64, watermarkLow: 1000 };
  const world = new World({ pageCount: 64, zones: [zone] });
  const { mem } = world;
  mem.allocHooks.slowPath = function* (request: GfpRequest): Blocking<Pfn> {
    yield "room-is-made";
    return allocPages(mem, request);
  };
  return world;
}

/** Two threads write to one page that is not there; room is made for each of them. */
function twoFaults(): RaceRun {
  const world = worldWithoutRoom();
  const { vm } = world;
  const mm = vm.createMm("a process of two threads");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(1));
  function* write(value: number): Blocking<string> {
    assert.equal(yield* writeUser(vm, mm, startVpn, 0, value), "done");
    return "wrote";
  }
  world.addTask("one", write(1));
  world.addTask("other", write(2));
  return { tasks: world.tasks, check: () => world.finish(), outcome: () => world.outcome() };
}

/** A process gets its own copy of a shared page, and waits for room; the page moves meanwhile. */
function copyAndMove(): RaceRun {
  const world = worldWithoutRoom();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  const other = sharePage(vm, page);
  function* write(): Blocking<string> {
    return yield* writeUser(vm, page.mm, page.vpn, 0, 8);
  }
  world.addTask("writer", write());
  world.addTask("mover", moveOnce(world, page.folio));
  const check = (): void => {
    assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 8, "the write is lost");
    assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), 7, "the write is shared");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** A thread waits for room to copy a shared page, and another takes the memory away. */
function copyAndUnmap(): RaceRun {
  const world = worldWithoutRoom();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  const other = sharePage(vm, page);
  function* write(): Blocking<string> {
    return yield* writeUser(vm, page.mm, page.vpn, 0, 8);
  }
  function* unmap(): Blocking<string> {
    yield* unmapVma(vm, page.vma);
    return "unmapped";
  }
  world.addTask("writer", write());
  world.addTask("thread", unmap());
  const check = (): void => {
    assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), 7, "the write is shared");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

export const allocationRaces: readonly Race[] = [
  {
    name: "a compactor captures the block that it made, and none that another task frees",
    start: captureAndAllocation,
    schedules: 20,
    outcomes: ["captured its own, took one"],
    mutants: [
      {
        what: "a compactor that is preempted goes on capturing",
        file: "src/memory/capture.ts",
        text: "mem.capture = outer.capture;",
        replacement: "",
        says: /did not get the block that it made|that another task freed was captured/,
      },
    ],
  },
  {
    name: "of two faults on one page that both get memory, one gives its page back",
    start: twoFaults,
    schedules: 10,
    outcomes: ["wrote, wrote"],
    mutants: [
      {
        what: "a fault maps its page without a second look at the entry",
        file: "src/vm/fault.ts",
        text: "if (entry === NO_ENTRY || !takesNewPage(vm.tables.bits(entry))) {",
        replacement: "if (entry === NO_ENTRY) {",
        says: /1 entries, counted 2/,
      },
    ],
  },
  {
    name: "a process that waits for a page to copy a shared one into sees that it is moving",
    start: copyAndMove,
    schedules: 200,
    outcomes: ["done, EAGAIN", "done, moved"],
    mutants: [
      {
        what: "a copy is mapped without a second look at what the entry says",
        file: "src/vm/copy-on-write.ts",
        text: "tables.bits(entry) === bits;",
        replacement: "true;",
        says: /a mapping is removed that was never added/,
      },
    ],
  },
  {
    name: "a process that waits for a page to copy a shared one into sees that it is unmapped",
    start: copyAndUnmap,
    schedules: 15,
    outcomes: ["SIGSEGV, unmapped", "done, unmapped"],
    mutants: [
      {
        what: "a copy is mapped without a second look whether there still is an entry",
        file: "src/vm/copy-on-write.ts",
        text: "if (copy !== null && isSame) {",
        replacement: "if (copy !== null) {",
        says: /the write is shared/,
      },
    ],
  },
];
