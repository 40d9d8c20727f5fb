/** A move against those who hold a page by its frame and use its bytes later: disks, pipes. */
import assert from "node:assert/strict";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { completeDirectRead, startDirectIo } from "../../src/vm/holders/direct-io.ts";
import { Pipe } from "../../src/vm/holders/pipe.ts";
import { anonymousPage } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

const KEY = 99;

function moveAndDirectRead(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const page = anonymousPage(vm, 1);
  function* directRead(): Blocking<string> {
    const io = yield* startDirectIo(vm, page.mm, page.vpn, 1, "reads");
    assert.ok(typeof io !== "string");
    yield "disk-at-work";
    yield* completeDirectRead(vm, io, [KEY]);
    return "read";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("reader", directRead());
  const check = (): void => {
    const now = mem.pfn(vm.tables.pfn(page.entry));
    assert.ok(mem.frames.holds(now, KEY), "what the disk read is lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** What lies in a pipe is the page itself: a write that comes before the read is read. */
function moveAndPipe(): RaceRun {
  const world = new World();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  const pipe = new Pipe(vm);
  function* send(): Blocking<string> {
    assert.equal(yield* pipe.vmsplice(page.mm, page.vpn, 1), 1);
    assert.equal(yield* writeUser(vm, page.mm, page.vpn, 0, 8), "done");
    yield "receiver-begins";
    assert.equal((yield* pipe.read())[0], 8, "the pipe has another page");
    return "received";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("sender", send());
  const check = (): void => {
    assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 8, "the write is lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

const NO_SECOND_LOOK = {
  what: "the fast way to a page does not look at the entry again",
  file: "src/vm/gup.ts",
  text: "if (unchanged && entryPfn(tables, entry, vpn) === (page as number)) return page;",
  replacement: "return page;",
};

export const moveAndHoldersRaces: readonly Race[] = [
  {
    name: "what a disk reads into a page by its frame is what the process finds, moved or not",
    start: moveAndDirectRead,
    schedules: 50,
    outcomes: ["EAGAIN, read", "moved, read"],
    mutants: [{ ...NO_SECOND_LOOK, says: /what the disk read is lost/ }],
  },
  {
    name: "what comes out of a pipe is what went in, whether its page moves before or after",
    start: moveAndPipe,
    schedules: 100,
    outcomes: ["EAGAIN, received", "moved, received"],
    mutants: [
      { ...NO_SECOND_LOOK, says: /the pipe has another page/ },
      {
        what: "an anonymous folio is taken for unused without its count",
        file: "src/migrate/folio-mapping.ts",
        text: "if (mem.refcount[src] !== expected) return refuseCount(mem, src, expected);\n    take",
        replacement: "take",
        says: /the pipe has another page/,
      },
    ],
  },
];
