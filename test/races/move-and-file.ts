/** A move of a file's folio against all who use the file: by calls, by mappings, by writeback. */
import assert from "node:assert/strict";
import { PAGE_SIZE } from "../../src/memory/constants.ts";
import { invalidateInodePages2 } from "../../src/pagecache/invalidate.ts";
import { punchHole } from "../../src/pagecache/truncate.ts";
import { genericPerformWrite } from "../../src/pagecache/write.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { NO_ENTRY } from "../../src/vm/page-tables.ts";
import { mapFilePage } from "../../src/vm/small-vm.ts";
import {
  drop,
  FileScene,
  holdsNew,
  holdsOld,
  isGone,
  isMappedAnywhere,
  mapFile,
  moveAnd,
  NEW,
  onDevice,
  read,
  sync,
  truncate,
  write,
} from "./file-scene.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { moveOnce, privateCopy } from "./world.ts";

/** A hole where a process reads: what it maps in the end is what the file has there. */
function faultAndPunch(): RaceRun {
  const scene = new FileScene();
  const { vm, mem, file } = scene;
  const [readPage] = mapFile(scene, "shared");
  function* punch(): Blocking<string> {
    yield "puncher-begins";
    return `punched: ${yield* punchHole(mem, file, 0, PAGE_SIZE)}`;
  }
  scene.addTask("process", readPage);
  scene.addTask("puncher", punch());
  return scene.run(() => {
    for (const { startVpn, mm } of vm.fileVmas[file.id]) {
      const entry = mm.directory.find(startVpn);
      const mapped = entry === NO_ENTRY ? 0 : vm.tables.pfn(entry);
      assert.ok(mapped === 0 || mapped === (scene.folio as number), "a page of no file is mapped");
    }
  });
}

function invalidateAndTruncate(): RaceRun {
  const scene = new FileScene();
  const { mem, file } = scene;
  function* invalidate(): Blocking<string> {
    yield "invalidator-begins";
    return `invalidated: ${yield* invalidateInodePages2(mem, file, 0, 0)}`;
  }
  scene.addTask("invalidator", invalidate());
  scene.addTask("truncater", truncate(scene));
  return scene.run(() => isGone(scene));
}

function faultAndMove(): RaceRun {
  const scene = new FileScene();
  const [readPage] = mapFile(scene, "shared");
  scene.addMover();
  scene.addTask("process", readPage);
  return scene.run(() => holdsOld(scene));
}

function writeMappedAndSync(): RaceRun {
  const scene = new FileScene();
  const [, writePage] = mapFile(scene, "shared");
  scene.addTask("process", writePage);
  scene.addTask("sync", sync(scene));
  return scene.run(() => assert.equal(onDevice(scene), NEW, "the write is lost"));
}

function faultAndTruncate(kind: "shared" | "private"): () => RaceRun {
  return () => {
    const scene = new FileScene();
    const [, writePage] = mapFile(scene, kind);
    scene.addTask("process", writePage);
    scene.addTask("truncater", truncate(scene));
    return scene.run(() => {
      assert.equal(isMappedAnywhere(scene), false, "a page behind the file's end is mapped");
    });
  };
}

/** A process has the page mapped, and none is in the end. */
function truncateMappedAndMove(): RaceRun {
  const scene = new FileScene();
  const { vm, file, folio } = scene;
  assert.ok(folio !== null);
  mapFilePage(vm, file, folio);
  scene.addMover();
  scene.addTask("truncater", truncate(scene));
  return scene.run(() => {
    isGone(scene);
    assert.equal(isMappedAnywhere(scene), false, "a page behind the file's end is mapped");
  });
}

function truncateCopyAndMove(): RaceRun {
  const scene = new FileScene();
  const copy = privateCopy(scene.vm, scene.file);
  scene.addTask("mover", moveOnce(scene, copy.folio));
  scene.addTask("truncater", truncate(scene));
  return scene.run(() => {
    assert.equal(isMappedAnywhere(scene), false, "a page behind the file's end is mapped");
  });
}

/** The page is written and its write begun, and ended, while it moves. */
function syncAndMove(): RaceRun {
  const scene = new FileScene();
  runToEnd(genericPerformWrite(scene.mem, scene.file, 0, new Int32Array(1024).fill(NEW)));
  scene.addMover();
  scene.addTask("sync", sync(scene));
  return scene.run(() => assert.equal(onDevice(scene), NEW, "the write is lost"));
}

function readAndDrop(): RaceRun {
  const scene = new FileScene();
  scene.addTask("reader", read(scene));
  scene.addTask("dropper", drop(scene));
  return scene.run(() => holdsOld(scene));
}

const MAPPING = "src/migrate/folio-mapping.ts";

/** Who found the page holds it, and the move goes on all the same. */
const COUNT_IGNORED: Mutant = {
  what: "the count of references is not compared when the file's slot changes hands",
  file: MAPPING,
  text: "if (!folioRefFreeze(mem, src, expected)) return refuseCount(mem, src, expected);",
  replacement: "folioRefFreeze(mem, src, mem.refcount[src]);",
  says: /nobody holds|more references|references, \d+ holders|lost|another file|read -1431655766/,
};

const NOT_LOOKED_AGAIN: Mutant = {
  what: "a page that was waited for is taken to be in its file still",
  file: "src/pagecache/find-folio.ts",
  text: "if (isInFile(mem, mapping, folio)) return true;",
  replacement: "if (isInFile(mem, mapping, folio) || true) return true;",
  says: /a folio of another file|the write is lost|mark where nothing|holders/,
};

export const moveAndFileRaces: readonly Race[] = [
  {
    name: "a file's page that is truncated while it moves is gone, old and new",
    start: moveAnd(truncate, isGone),
    schedules: 40,
    outcomes: ["EAGAIN, truncated", "moved, truncated", "not isolated, truncated"],
    mutants: [COUNT_IGNORED],
  },
  {
    name: "a mapped page of a file that is truncated while it moves is gone, from the process too",
    start: truncateMappedAndMove,
    schedules: 500,
    outcomes: ["EAGAIN, truncated", "moved, truncated", "not isolated, truncated"],
    mutants: [
      COUNT_IGNORED,
      {
        what: "truncate does not wait for the lock of a page",
        file: "src/pagecache/find-folio.ts",
        text: "yield* folioLock(mem, folio);",
        replacement: "mem.flags[folio] |= 1;",
        says: /removal of a folio that is not locked|unlock of a folio that is not locked/,
      },
    ],
  },
  {
    name: "a private copy that moves while the file is cut off is not mapped in the end",
    start: truncateCopyAndMove,
    schedules: 1500,
    outcomes: ["moved, truncated", "not isolated, truncated"],
    mutants: [
      {
        what: "zapping leaves a migration entry where it is",
        file: "src/vm/zap.ts",
        text: "if (bits === PTE_NONE) return;\n  if ((bits & PTE.swap)",
        replacement: "if ((bits & PTE.present) === 0) return;\n  if ((bits & PTE.swap)",
        says: /a page behind the file's end is mapped/,
      },
    ],
  },
  {
    name: "what is written to a file while its page moves is there, dirty and marked",
    start: moveAnd(write, holdsNew),
    schedules: 30,
    outcomes: ["EAGAIN, wrote", "moved, wrote"],
    mutants: [COUNT_IGNORED],
  },
  {
    name: "a read of a file while its page moves finds what the file holds",
    start: moveAnd(read, holdsOld),
    schedules: 35,
    outcomes: ["EAGAIN, read 1", "moved, read 1"],
    mutants: [COUNT_IGNORED],
  },
  {
    name: "a page that is dropped from the cache while it moves is dropped or moved, not both",
    start: moveAnd(drop, holdsOld),
    schedules: 22,
    outcomes: ["EAGAIN, kept", "moved, kept", "not isolated, dropped"],
    mutants: [COUNT_IGNORED],
  },
  {
    name: "a page under writeback does not move, and the device writes the bytes that it should",
    start: syncAndMove,
    schedules: 30,
    outcomes: ["EAGAIN, synced", "moved, synced"],
    mutants: [
      {
        what: "a move does not look whether the page is under writeback",
        file: "src/migrate/unmap.ts",
        text: "if ((mem.flags[src] & PG.writeback) !== 0) {",
        replacement: "if (mem.pageCount === 0) {",
        says: /migration of a folio under writeback/,
      },
    ],
  },
  {
    name: "a process that faults on a file's page maps it where it is, moved or not",
    start: faultAndMove,
    schedules: 20,
    outcomes: ["EAGAIN, 1", "moved, 1"],
    mutants: [COUNT_IGNORED],
  },
  {
    name: "a write through a mapping reaches the device, whenever the page is written back",
    start: writeMappedAndSync,
    schedules: 100,
    outcomes: ["done, synced"],
    mutants: [
      {
        what: "entries stay writable when their page is written back",
        file: "src/pagecache/writeback.ts",
        text: "if (mappers !== null && (yield* mappers.folioMkclean(mapping, folio))) {",
        replacement: "if (mappers === null) {",
        says: /the write is lost/,
      },
    ],
  },
  {
    name: "a shared page that is faulted in while the file is cut off is not mapped in the end",
    start: faultAndTruncate("shared"),
    schedules: 50,
    outcomes: ["SIGBUS, truncated", "done, truncated"],
    mutants: [
      {
        what: "a page that was faulted in since is taken out of the cache mapped",
        file: "src/pagecache/truncate.ts",
        text: "if (mappers !== null && folioMapped(mem, folio)) {",
        replacement: "if (mappers === null) {",
        says: /a mapped folio leaves its file/,
      },
    ],
  },
  {
    name: "a private copy of a page that is cut off is not mapped in the end",
    start: faultAndTruncate("private"),
    schedules: 50,
    outcomes: ["SIGBUS, truncated", "done, truncated"],
    mutants: [
      {
        what: "entries are looked for once, before the pages are taken out of the cache",
        file: "src/pagecache/truncate.ts",
        text: `(LAST_OFFSET + 1) * PAGE_SIZE);
  if (mappers !== null)`,
        replacement: `(LAST_OFFSET + 1) * PAGE_SIZE);
  if (mappers === null) return;
  if (mem.pageCount === 0)`,
        says: /a page behind the file's end is mapped/,
      },
    ],
  },
  {
    name: "a page that is dropped from the cache while it is read is read, or read again",
    start: readAndDrop,
    schedules: 10,
    outcomes: ["read 1, dropped", "read 1, kept"],
    mutants: [
      {
        what: "a page leaves its file without its count being frozen",
        file: "src/pagecache/invalidate.ts",
        text: "if (!folioRefFreeze(mem, folio, expected)) return false;",
        replacement: "folioRefFreeze(mem, folio, mem.refcount[folio]);",
        says: /nobody holds|lost|read -1431655766|references/,
      },
    ],
  },
  {
    name: "a page that two take out of a file leaves it once",
    start: invalidateAndTruncate,
    schedules: 80,
    outcomes: ["invalidated: done, truncated"],
    mutants: [NOT_LOOKED_AGAIN],
  },
  {
    name: "what a process maps of a file with a hole is what the file has there",
    start: faultAndPunch,
    schedules: 50,
    outcomes: ["1, punched: done"],
    mutants: [
      {
        what: "a fault maps the page that it waited for, whatever has become of it",
        file: "src/pagecache/fault.ts",
        text: "const isStill = isInFile(mem, mapping, folio);",
        replacement: "const isStill = true;",
        says: /a page of no file is mapped/,
      },
    ],
  },
];
