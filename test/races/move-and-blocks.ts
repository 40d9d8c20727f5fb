/** A move of a device's page against who makes the buffers of its blocks, and uses one. */
import assert from "node:assert/strict";
import type { Folio } from "../../src/memory/memmap.ts";
import { bufferMigrateFolioNorefs } from "../../src/migrate/buffer-callbacks.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { bread, openBlkdev } from "../../src/pagecache/blkdev.ts";
import { markBufferDirty } from "../../src/pagecache/buffers/dirty-buffers.ts";
import { MemoryDevice } from "../../src/pagecache/device/block-device.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

const CACHED = 7;
const WRITTEN = 9;

/** A device of one block, whose page is cached and has no buffers yet. */
class Scene extends World {
  readonly blkdev: AddressSpace;
  readonly folio: Folio;

  constructor() {
    super();
    const device = new MemoryDevice(this.mem);
    const shape = { name: "a device", device, sizeBytes: 4096, blockBytes: 4096 };
    this.blkdev = openBlkdev(this.vm.cache, shape, bufferMigrateFolioNorefs);
    this.folio = cachedFolio(this.vm, this.blkdev, 0, CACHED);
  }
}

/** A filesystem reads a block and writes to it, with a count on its buffer and nothing else. */
function* readAndWriteBlock({ mem, blkdev }: Scene): Blocking<string> {
  const bh = yield* bread(mem, blkdev, 0);
  assert.ok(typeof bh !== "string");
  const { folio } = bh;
  assert.equal(mem.frames.readWord(folio, 0), CACHED, "the contents are lost");
  yield "writer-has-the-address";
  mem.frames.writeWord(folio, 0, WRITTEN);
  yield* markBufferDirty(mem, blkdev, bh);
  bh.put();
  return "wrote";
}

function makeAndMove(): RaceRun {
  const scene = new Scene();
  const { mem, blkdev } = scene;
  scene.addTask("user", readAndWriteBlock(scene));
  scene.addTask("mover", moveOnce(scene, scene.folio));
  const check = (): void => {
    const folio = blkdev.folios.load(0);
    assert.ok(folio !== null, "the page is gone");
    assert.equal(mem.frames.readWord(folio, 0), WRITTEN, "the write is lost");
    scene.finish();
  };
  return { tasks: scene.tasks, check, outcome: () => scene.outcome() };
}

export const moveAndBlocksRaces: readonly Race[] = [
  {
    name: "a block whose buffer is made while its page moves is written to where the page is then",
    start: makeAndMove,
    schedules: 100,
    outcomes: ["wrote, EAGAIN", "wrote, moved"],
    mutants: [
      {
        what: "who has made a buffer takes it without private_lock, and not by a lookup",
        file: "src/pagecache/blkdev.ts",
        text: `    yield* folioMappedBuffers(mem, device, folio, getBlock);
    folioUnlock(mem, folio);
    folioPut(mem, folio);`,
        replacement: `    const [made] = yield* folioMappedBuffers(mem, device, folio, getBlock);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
    yield "made";
    made.get();
    return made;`,
        says: /the write is lost|a dirty buffer and a clean folio/,
      },
      {
        what: "a lookup counts itself in once it has let go of the page",
        file: "src/pagecache/buffers/find-block.ts",
        text: "bh?.get();\n  device.privateLock.unlock();\n  folioPut(mem, folio);",
        replacement:
          'device.privateLock.unlock();\n  folioPut(mem, folio);\n  yield "let go";\n' +
          "  bh?.get();",
        says: /the write is lost|a dirty buffer and a clean folio/,
      },
    ],
  },
];
