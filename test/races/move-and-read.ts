/** A page of a file that is being read ahead: nobody holds it, and its lock alone keeps it. */
import assert from "node:assert/strict";
import { lruAddDrain } from "../../src/memory/lru.ts";
import { LRU } from "../../src/memory/node.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Patience } from "../../src/migrate/unmap.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { MemoryDevice } from "../../src/pagecache/device/block-device.ts";
import { FileReadahead } from "../../src/pagecache/file-readahead.ts";
import { filemapRead } from "../../src/pagecache/read.ts";
import { pageCacheRaUnbounded } from "../../src/pagecache/readahead.ts";
import { smallFile } from "../../src/pagecache/small-file.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { PolledDevice } from "./polled-device.ts";
import type { Race, RaceRun } from "./race.ts";
import { reclaim } from "./reclaim.ts";
import { moveOnce, World } from "./world.ts";

const ON_DEVICE = 7;

/** A file of one page that is not in the cache yet. */
class Scene extends World {
  readonly device: PolledDevice;
  readonly file: AddressSpace;

  constructor() {
    super();
    const disk = new MemoryDevice(this.mem);
    disk.writeWord(0, ON_DEVICE);
    this.device = new PolledDevice(disk, "read");
    this.file = smallFile(this.vm.cache, this.device, 1, { migrateFolio });
    this.addTask("reader", readAheadAndRead(this));
  }

  run(): RaceRun {
    const check = (): void => {
      lruAddDrain(this.mem);
      this.finish();
    };
    return { tasks: this.tasks, check, outcome: () => this.outcome() };
  }
}

/** The device has its time between the request and the answer; then a process reads. */
function* readAheadAndRead({ mem, file, device }: Scene): Blocking<string> {
  yield* pageCacheRaUnbounded(mem, file, 0, 1, 0);
  // The batch of this processor is emptied by anybody who wants all folios on their lists.
  lruAddDrain(mem);
  yield "device-at-work";
  device.open();
  yield "reader-begins";
  const words = new Int32Array(1);
  assert.equal(yield* filemapRead(mem, file, new FileReadahead(0), 0, words), 1);
  assert.equal(words[0], ON_DEVICE, "what the device read is lost");
  return "read";
}

function moveDuringRead(patience: Patience): () => RaceRun {
  return () => {
    const scene = new Scene();
    function* move(): Blocking<string> {
      yield "mover-begins";
      const folio = scene.file.folios.load(0);
      return folio === null ? "found nothing" : yield* moveOnce(scene, folio, patience);
    }
    scene.addTask("mover", move());
    return scene.run();
  };
}

function reclaimDuringRead(): RaceRun {
  const scene = new Scene();
  scene.addTask("reclaimer", reclaim(scene, LRU.inactiveFile));
  return scene.run();
}

export const moveAndReadRaces: readonly Race[] = [
  {
    name: "a page that is being read ahead does not move before its bytes are there",
    start: moveDuringRead("tries"),
    schedules: 150,
    outcomes: ["read, EAGAIN", "read, found nothing", "read, moved", "read, not isolated"],
    mutants: [
      {
        what: "a mover goes on without the lock that it did not get",
        file: "src/migrate/unmap.ts",
        text: `    if (patience === "tries" || mode === "async" || mem.memalloc) return "EAGAIN";
    if (mode === "sync-light" && isBeingRead(mem, src)) return "EAGAIN";
    yield* folioLock(mem, src);`,
        replacement: "",
        says: /unlock of a folio that is not locked|the bytes are lost/,
      },
    ],
  },
  {
    name: "who waits for a page that is being read ahead moves it with the bytes that were read",
    start: moveDuringRead("waits"),
    schedules: 150,
    outcomes: ["read, EAGAIN", "read, found nothing", "read, moved", "read, not isolated"],
    mutants: [
      {
        what: "who has waited for the lock of a page takes it for its own",
        file: "src/migrate/unmap.ts",
        text: "yield* folioLock(mem, src);",
        replacement: "yield* folioLock(mem, src);\n    folioUnlock(mem, src);",
        says: /unlock of a folio that is not locked/,
      },
    ],
  },
  {
    name: "a page that is being read ahead is not reclaimed before its bytes are there",
    start: reclaimDuringRead,
    schedules: 150,
    outcomes: ["read, found nothing", "read, freed", "read, held", "read, locked"],
    mutants: [
      {
        what: "reclaim goes on without the lock that it did not get",
        file: "src/callers/reclaim/shrink-folio-list.ts",
        text: 'if (!folioTrylock(mem, folio)) return "locked";',
        replacement: "folioTrylock(mem, folio);",
        says: /removal of a folio that is not locked/,
      },
    ],
  },
];
