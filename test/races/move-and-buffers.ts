/** A move of a folio with buffers against those who use, find, free and truncate them. */
import assert from "node:assert/strict";
import { PAGE_SIZE } from "../../src/memory/constants.ts";
import { folioLock, folioTrylock, folioUnlock } from "../../src/memory/folio-lock.ts";
import { folioPut } from "../../src/memory/folio-ref.ts";
import { folioAddLru, folioIsolateLru, folioPutbackLru } from "../../src/memory/lru.ts";
import { type Folio, testFlag } from "../../src/memory/memmap.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import { PG } from "../../src/memory/page-flags.ts";
import {
  bufferMigrateFolio,
  bufferMigrateFolioNorefs,
} from "../../src/migrate/buffer-callbacks.ts";
import type { AddressSpace, MigrateFolio, MigrateMode } from "../../src/pagecache/address-space.ts";
import { BH, type BufferHead } from "../../src/pagecache/buffers/buffer-head.ts";
import { blockDirtyFolio, markBufferDirty } from "../../src/pagecache/buffers/dirty-buffers.ts";
import { findGetBlock } from "../../src/pagecache/buffers/find-block.ts";
import { folioBuffers } from "../../src/pagecache/buffers/folio-buffers.ts";
import { blockInvalidateFolio } from "../../src/pagecache/buffers/invalidate-buffers.ts";
import { attachBuffers, SMALL_BLOCK_BYTES } from "../../src/pagecache/buffers/small-buffers.ts";
import {
  filemapGetFolio,
  filemapReleaseFolio,
  filemapRemoveFolio,
} from "../../src/pagecache/page-cache.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

const BLOCK = 1;

/** One cached folio of a device, with word 1 and four buffers. */
class Scene extends World {
  readonly device: AddressSpace;
  readonly folio: Folio;
  readonly ring: readonly BufferHead[];

  constructor() {
    super();
    this.device = this.vm.cache.createMapping("a device", {});
    this.folio = cachedFolio(this.vm, this.device, 0, 1);
    this.ring = attachBuffers(this.mem, this.device, this.folio);
  }

  /** The first word of the device's page, wherever it is now. */
  get word(): number | null {
    const folio = this.device.folios.load(0);
    return folio === null ? null : this.mem.frames.readWord(folio, 0);
  }

  run(check: () => void): RaceRun {
    const checkAll = (): void => {
      check();
      this.finish();
    };
    return { tasks: this.tasks, check: checkAll, outcome: () => this.outcome() };
  }
}

/** One attempt: what `migratePages` does around an owner's callback, for a folio not mapped. */
function* moveOnce(scene: Scene, callback: MigrateFolio, mode: MigrateMode): Blocking<string> {
  const { mem, vm, device, folio: src } = scene;
  yield "mover-begins";
  if (!folioIsolateLru(mem, src)) return "not isolated";
  const dst = folioAlloc(mem, movableRequest(0));
  assert.ok(dst !== null && folioTrylock(mem, dst));
  yield "mover-isolated";
  yield* folioLock(mem, src);
  const isCached = vm.cache.folioMapping(src) === device;
  const outcome = isCached ? yield* callback(mem, device, dst, src, mode) : "truncated before";
  settle(mem, dst, src, outcome);
  return outcome;
}

function settle(mem: Memory, dst: Folio, src: Folio, outcome: string): void {
  const moved = outcome === "moved";
  if (moved) {
    mem.mapping[src] = 0;
    folioAddLru(mem, dst);
  }
  folioUnlock(mem, dst);
  folioUnlock(mem, src);
  folioPut(mem, dst);
  if (moved) folioPut(mem, src);
  else folioPutbackLru(mem, src);
}

/** A device puts a block's bytes where it was told to when the buffer was locked. */
function* readBlock({ mem, ring }: Scene): Blocking<string> {
  const bh = ring[BLOCK];
  yield "reader-begins";
  yield* bh.lock();
  const to = bh.folio;
  yield "device-at-work";
  mem.frames.writeWord(to, 0, 7);
  bh.unlock();
  return "read";
}

function* lookUp({ mem, device }: Scene): Blocking<BufferHead> {
  const bh = yield* findGetBlock(mem, device, BLOCK, SMALL_BLOCK_BYTES);
  assert.ok(bh !== null, "a cached block is not found");
  return bh;
}

/** A filesystem writes to a block that it holds, without any lock. */
function* writeHeldBlock(scene: Scene): Blocking<string> {
  const bh = yield* lookUp(scene);
  const to = bh.folio;
  yield "writer-has-the-address";
  scene.mem.frames.writeWord(to, 0, 7);
  yield* markBufferDirty(scene.mem, scene.device, bh);
  bh.put();
  return "wrote";
}

/** The same under the buffer's lock. */
function* writeLockedBlock(scene: Scene): Blocking<string> {
  const bh = yield* lookUp(scene);
  yield* bh.lock();
  const to = bh.folio;
  yield "writer-has-the-address";
  scene.mem.frames.writeWord(to, 0, 7);
  bh.unlock();
  bh.put();
  return "wrote";
}

/** Reclaim, short of memory. */
function* freeBuffers({ mem, device }: Scene): Blocking<string> {
  const folio = yield* filemapGetFolio(mem, device, 0);
  assert.ok(folio !== null, "a cached page is not found");
  yield* folioLock(mem, folio);
  const isFree = yield* filemapReleaseFolio(mem, device, folio);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return isFree ? "freed" : "kept";
}

function* truncate({ mem, vm, device }: Scene): Blocking<string> {
  const folio = yield* filemapGetFolio(mem, device, 0);
  assert.ok(folio !== null, "a cached page is not found");
  yield* folioLock(mem, folio);
  if (vm.cache.folioMapping(folio) === device) {
    yield* blockInvalidateFolio(mem, device, folio, 0, PAGE_SIZE);
    filemapRemoveFolio(mem, device, folio);
  }
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return "truncated";
}

/** A race of one move with the bytes that somebody puts into the block. */
function moveAndUse(
  callback: MigrateFolio,
  mode: MigrateMode,
  use: (scene: Scene) => Blocking<string>,
): () => RaceRun {
  return () => {
    const scene = new Scene();
    scene.addTask("mover", moveOnce(scene, callback, mode));
    scene.addTask("user", use(scene));
    return scene.run(() => {
      assert.equal(scene.word, 7, "the bytes are lost");
      for (const bh of scene.ring) {
        assert.equal(bh.folio, scene.device.folios.load(0), "a buffer points at another page");
        const isDirty = testFlag(scene.mem, bh.folio, PG.dirty);
        assert.ok((bh.state & BH.dirty) === 0 || isDirty, "a dirty buffer of a clean page");
      }
    });
  };
}

function moveAndFree(): RaceRun {
  const scene = new Scene();
  scene.addTask("mover", moveOnce(scene, bufferMigrateFolio, "sync"));
  scene.addTask("reclaim", freeBuffers(scene));
  return scene.run(() => {
    const folio = scene.device.folios.load(0);
    assert.ok(folio !== null);
    assert.equal(folioBuffers(scene.mem, scene.device.buffers, folio), null, "a ring is left");
  });
}

/** A process that had the page mapped is gone, and its entry was dirty. */
function* dirtyFolio({ mem, device }: Scene): Blocking<string> {
  const folio = yield* filemapGetFolio(mem, device, 0);
  assert.ok(folio !== null, "a cached page is not found");
  yield* blockDirtyFolio(mem, device, folio);
  folioPut(mem, folio);
  return "dirtied";
}

function freeAndDirty(): RaceRun {
  const scene = new Scene();
  scene.addTask("reclaim", freeBuffers(scene));
  scene.addTask("zap", dirtyFolio(scene));
  return scene.run(() => {
    assert.ok(testFlag(scene.mem, scene.folio, PG.dirty), "the page is clean: the write is lost");
  });
}

function moveAndTruncate(): RaceRun {
  const scene = new Scene();
  scene.addTask("mover", moveOnce(scene, bufferMigrateFolioNorefs, "sync"));
  scene.addTask("truncate", truncate(scene));
  return scene.run(() => assert.equal(scene.word, null, "a page is left in the file"));
}

const CALLBACKS = "src/migrate/buffer-callbacks.ts";

const UNLOCKED_BEFORE_COPY: Mutant = {
  what: "the buffers are unlocked while the bytes are still to be copied",
  file: CALLBACKS,
  text: 'yield "buffers-point-at-dst";',
  replacement:
    "for (const bh of ring) bh.unlock();\n" +
    '  yield "buffers-point-at-dst";\n' +
    "  for (const bh of ring) bh.trylock();",
  says: /the bytes are lost|not locked/,
};

const NO_SECOND_LOOK: Mutant = {
  what: "a lookup takes a folio for cached that has left the file before it was held",
  file: "src/pagecache/page-cache.ts",
  text: "if (node.words[slot] === (folio as number)) return folio;",
  replacement: "if (folio > 0) return folio;",
  says: /is not found|is left/,
};

const MOVED_BEFORE_SWAP: Mutant = {
  what: "the ring goes to the new folio before the mapping does, which may refuse",
  file: CALLBACKS,
  text: 'if (outcome !== "moved") return outcome;\n  movePrivate(mem, dst, src);',
  replacement: 'movePrivate(mem, dst, src);\n  if (outcome !== "moved") return outcome;',
  says: /a buffer of its ring names folio|rings of buffers leaked/,
};

export const moveAndBuffersRaces: readonly Race[] = [
  {
    name: "bytes that a device puts into a block of a file are there wherever the page ends",
    start: moveAndUse(bufferMigrateFolio, "sync-light", readBlock),
    schedules: 20,
    outcomes: ["moved, read"],
    mutants: [
      UNLOCKED_BEFORE_COPY,
      {
        what: "a locked buffer is not waited for",
        file: CALLBACKS,
        text: "for (const bh of ring) yield* bh.lock();",
        replacement: "for (const bh of ring) bh.trylock();",
        says: /the bytes are lost|not locked/,
      },
    ],
  },
  {
    name: "a move that may not wait leaves a block to its device, or moves before or after",
    start: moveAndUse(bufferMigrateFolio, "async", readBlock),
    schedules: 20,
    outcomes: ["EAGAIN, read", "moved, read"],
    mutants: [
      {
        what: "one buffer that cannot be locked ends the tries, and the move goes on",
        file: CALLBACKS,
        text: "for (const bh of ring.slice(0, at)) bh.unlock();\n    return false;",
        replacement: "return true;",
        says: /the bytes are lost|not locked/,
      },
      {
        what: "the buffers locked before the one that could not be stay locked",
        file: CALLBACKS,
        text: "for (const bh of ring.slice(0, at)) bh.unlock();",
        replacement: "",
        says: /a buffer is in use at teardown/,
      },
    ],
  },
  {
    name: "a write by who found a device's block and holds it is never lost",
    start: moveAndUse(bufferMigrateFolioNorefs, "sync", writeHeldBlock),
    schedules: 70,
    outcomes: ["EAGAIN, wrote", "moved, wrote"],
    mutants: [
      NO_SECOND_LOOK,
      {
        what: "private_lock is given up between the scan of the counts and the swap",
        file: CALLBACKS,
        text: 'yield "buffers-scanned";',
        replacement:
          'privateLock.unlock();\n  yield "buffers-scanned";\n  yield* privateLock.lock();',
        says: /the bytes are lost/,
      },
      {
        what: "private_lock is given up before the bytes are copied",
        file: CALLBACKS,
        text: 'yield "buffers-point-at-dst";',
        replacement:
          'mapping.privateLock.unlock();\n  yield "buffers-point-at-dst";\n' +
          "  yield* mapping.privateLock.lock();",
        says: /the bytes are lost/,
      },
      {
        what: "the counts are not looked at again after the lookup caches were emptied",
        file: CALLBACKS,
        text: "const held = countHeld(ring);",
        replacement: "const held = 0;",
        says: /the bytes are lost/,
      },
      {
        what: "a lookup does not take private_lock",
        file: "src/pagecache/buffers/find-block.ts",
        text: "yield* device.privateLock.lock();",
        replacement: "device.privateLock.held = true;",
        says: /the bytes are lost|nobody holds/,
      },
    ],
  },
  {
    name: "a held block does not keep a file's page from moving, and its lock guards the bytes",
    start: moveAndUse(bufferMigrateFolio, "sync", writeLockedBlock),
    schedules: 50,
    outcomes: ["EAGAIN, wrote", "moved, wrote"],
    mutants: [UNLOCKED_BEFORE_COPY, MOVED_BEFORE_SWAP],
  },
  {
    name: "who frees a page's buffers finds them on the old page or on the new one",
    start: moveAndFree,
    schedules: 25,
    outcomes: ["EAGAIN, freed", "moved, freed"],
    mutants: [NO_SECOND_LOOK, MOVED_BEFORE_SWAP],
  },
  {
    name: "a page that is dirtied while its buffers are freed is dirty, with its buffers or without",
    start: freeAndDirty,
    schedules: 10,
    outcomes: ["freed, dirtied", "kept, dirtied"],
    mutants: [
      {
        what: "the page is cleaned after private_lock has been given up",
        file: "src/pagecache/buffers/folio-buffers.ts",
        text: "if (free) folioCancelDirty(mem, mapping, folio);\n  mapping.privateLock.unlock();",
        replacement:
          'mapping.privateLock.unlock();\n  yield "unlocked";\n' +
          "  if (free) folioCancelDirty(mem, mapping, folio);",
        says: /the write is lost/,
      },
      {
        what: "who dirties a page does not wait for private_lock",
        file: "src/pagecache/buffers/dirty-buffers.ts",
        text: "yield* mapping.privateLock.lock();",
        replacement: "mapping.privateLock.held = true;",
        says: /the write is lost|nobody holds/,
      },
    ],
  },
  {
    name: "a page that is truncated while it moves is gone, old and new",
    start: moveAndTruncate,
    schedules: 25,
    outcomes: [
      "EAGAIN, truncated",
      "moved, truncated",
      "not isolated, truncated",
      "truncated before, truncated",
    ],
    mutants: [NO_SECOND_LOOK, MOVED_BEFORE_SWAP],
  },
];

/** What norefs is for: with the callback for a file's data a device loses a write. */
export const wrongCallback: Race = {
  name: "a device with the callback for a file's data loses a write",
  start: moveAndUse(bufferMigrateFolio, "sync", writeHeldBlock),
  schedules: 0,
  outcomes: [],
  mutants: [],
};
