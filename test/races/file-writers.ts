/** Two who write to the same pages of one file, and one who cuts it. */
import assert from "node:assert/strict";
import { PAGE_SIZE } from "../../src/memory/constants.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { filemapDirtyFolio } from "../../src/pagecache/mark-dirty.ts";
import { truncateFile } from "../../src/pagecache/truncate.ts";
import { genericFileWrite } from "../../src/pagecache/write.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

/** Both pages of a file that are there from the start. */
class Scene extends World {
  readonly file: AddressSpace;

  constructor() {
    super();
    const traits = { sizeBytes: 2 * PAGE_SIZE, canWriteback: true };
    this.file = this.vm.cache.createMapping("a file", { dirtyFolio: filemapDirtyFolio }, traits);
    for (const offset of [0, 1]) cachedFolio(this.vm, this.file, offset, 1);
  }

  /** The last word of the first page and the first of the second. */
  *write(value: number): Blocking<string> {
    const words = new Int32Array(1025).fill(value);
    const at = PAGE_SIZE - 1024 * 4;
    return `wrote ${yield* genericFileWrite(this.mem, this.file, at, words)}`;
  }

  run(check: (pages: readonly (number | null)[]) => void): RaceRun {
    return {
      tasks: this.tasks,
      outcome: () => this.outcome(),
      check: () => {
        lruAddDrain(this.mem);
        const pages = [0, 1].map((offset) => {
          const folio = this.file.folios.load(offset);
          return folio === null ? null : this.mem.frames.readWord(folio, 0);
        });
        check(pages);
        this.finish();
      },
    };
  }
}

function twoWriters(): RaceRun {
  const scene = new Scene();
  scene.addTask("one", scene.write(2));
  scene.addTask("other", scene.write(3));
  return scene.run(([first, second]) => assert.equal(first, second, "a write is torn"));
}

function writeAndCut(): RaceRun {
  const scene = new Scene();
  function* cut(): Blocking<string> {
    return `cut ${yield* truncateFile(scene.mem, scene.file, 0)}`;
  }
  scene.addTask("writer", scene.write(2));
  scene.addTask("cutter", cut());
  return scene.run(([first, second]) => {
    const isCut = scene.file.sizeBytes === 0;
    assert.deepEqual([first, second], isCut ? [null, null] : [2, 2], "a write is cut in two");
  });
}

export const fileWritersRaces: readonly Race[] = [
  {
    name: "of two writes to the same pages of a file one is there whole",
    start: twoWriters,
    schedules: 2,
    outcomes: ["wrote 1025, wrote 1025"],
    mutants: [
      {
        what: "a write does not keep others from the file",
        file: "src/pagecache/write.ts",
        text:
          "  yield* mapping.inodeLock.lock();\n" +
          "  const written = yield* genericPerformWrite(mem, mapping, posBytes, words);\n" +
          "  mapping.inodeLock.unlock();\n",
        replacement:
          "  const written = yield* genericPerformWrite(mem, mapping, posBytes, words);\n",
        says: /a write is torn/,
      },
    ],
  },
  {
    name: "a file that is cut while it is written to has all of the write, or none",
    start: writeAndCut,
    schedules: 2,
    outcomes: ["wrote 1025, cut done"],
    mutants: [
      {
        what: "a cut does not wait for a write",
        file: "src/pagecache/truncate.ts",
        text:
          "  yield* mapping.inodeLock.lock();\n  yield* mapping.invalidateLock.lock();\n" +
          "  const pageEnd",
        replacement:
          "  mapping.inodeLock.held = true;\n  yield* mapping.invalidateLock.lock();\n" +
          "  const pageEnd",
        says: /a write is cut in two|nobody holds/,
      },
    ],
  },
];
