/** A large folio across the new end of its file, against moves and processes. */
import assert from "node:assert/strict";
import { PAGE_SIZE } from "../../src/memory/constants.ts";
import { folioTestLarge } from "../../src/memory/folio.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import { type AddressSpace, AS } from "../../src/pagecache/address-space.ts";
import { filemapDirtyFolio, folioMarkDirty } from "../../src/pagecache/mark-dirty.ts";
import { truncateFile } from "../../src/pagecache/truncate.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser } from "../../src/vm/fault.ts";
import { cachedFolio, mapFilePage, type UserPage } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

/** A dirty folio of two pages, of which a process maps the first, and the second is to go. */
class Scene extends World {
  readonly file: AddressSpace;
  readonly folio: Folio;
  readonly user: UserPage;

  constructor() {
    super();
    const ops = { dirtyFolio: filemapDirtyFolio, migrateFolio };
    const traits = { flags: AS.largeFolioSupport, sizeBytes: 2 * PAGE_SIZE, canWriteback: true };
    this.file = this.vm.cache.createMapping("a file", ops, traits);
    this.folio = cachedFolio(this.vm, this.file, 0, 7, 1);
    this.user = mapFilePage(this.vm, this.file, this.folio);
    runToEnd(folioMarkDirty(this.mem, this.file, this.folio));
  }

  *cut(): Blocking<string> {
    yield "cutter-begins";
    yield* truncateFile(this.mem, this.file, PAGE_SIZE);
    const first = this.file.folios.load(0);
    return first !== null && folioTestLarge(this.mem, first) ? "kept whole" : "split";
  }

  run(): RaceRun {
    return {
      tasks: this.tasks,
      outcome: () => this.outcome(),
      check: () => {
        lruAddDrain(this.mem);
        const { mm, vpn } = this.user;
        assert.equal(runToEnd(readUser(this.vm, mm, vpn, 0)), 7, "the bytes are lost");
        assert.equal(runToEnd(readUser(this.vm, mm, vpn + 1, 0)), "SIGBUS");
        this.finish();
      },
    };
  }
}

function cutAndMove(): RaceRun {
  const scene = new Scene();
  scene.addTask("cutter", scene.cut());
  scene.addTask("mover", moveOnce(scene, scene.folio));
  return scene.run();
}

function cutAndRead(): RaceRun {
  const scene = new Scene();
  const { mm, vpn } = scene.user;
  function* read(): Blocking<string> {
    yield "reader-begins";
    return `read ${yield* readUser(scene.vm, mm, vpn + 1, 0)}`;
  }
  scene.addTask("cutter", scene.cut());
  scene.addTask("reader", read());
  return scene.run();
}

export const truncateLargeRaces: readonly Race[] = [
  {
    name: "a large folio that is cut in two while it moves keeps the bytes before the cut",
    start: cutAndMove,
    schedules: 500,
    outcomes: ["kept whole, moved", "split, EAGAIN", "split, moved", "split, not isolated"],
    mutants: [
      {
        what: "a folio is split though somebody else has taken it off the LRU",
        file: "src/vm/split-held.ts",
        text: "if (!folioIsolateLru(mem, folio)) return false;",
        replacement: "if (!folioIsolateLru(mem, folio)) mem.refcount[folio]++;",
        says: /on a list already/,
      },
    ],
  },
  {
    name: "a large folio that is cut in two while a process reads it is not seen behind the cut",
    start: cutAndRead,
    schedules: 500,
    outcomes: ["split, read 0", "split, read SIGBUS"],
    mutants: [],
  },
];
