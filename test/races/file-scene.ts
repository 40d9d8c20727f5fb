/** One page of a file on a device, and what tasks do with it, for the races of files. */
import assert from "node:assert/strict";
import type { Folio } from "../../src/memory/memmap.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { MemoryDevice } from "../../src/pagecache/device/block-device.ts";
import { FileReadahead } from "../../src/pagecache/file-readahead.ts";
import { MARK } from "../../src/pagecache/folio-index.ts";
import { invalidateMappingPages } from "../../src/pagecache/invalidate.ts";
import { filemapRead } from "../../src/pagecache/read.ts";
import { smallFile } from "../../src/pagecache/small-file.ts";
import { truncateFile } from "../../src/pagecache/truncate.ts";
import { genericPerformWrite } from "../../src/pagecache/write.ts";
import { doWritepages, filemapWriteAndWait } from "../../src/pagecache/write-cache-pages.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { NO_ENTRY } from "../../src/vm/page-tables.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";
import { PolledDevice } from "./polled-device.ts";
import type { RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

const OLD = 1;
export const NEW = 7;

/** A file of one page, which holds OLD on the device and in the cache. */
export class FileScene extends World {
  readonly device: PolledDevice;
  readonly file: AddressSpace;

  constructor() {
    super();
    const disk = new MemoryDevice(this.mem);
    disk.writeWord(0, OLD);
    this.device = new PolledDevice(disk);
    this.file = smallFile(this.vm.cache, this.device, 1, { migrateFolio });
    cachedFolio(this.vm, this.file, 0, OLD);
  }

  get folio(): Folio | null {
    return this.file.folios.load(0);
  }

  addMover(): void {
    const { folio } = this;
    assert.ok(folio !== null, "there is a page to move");
    this.addTask("mover", moveOnce(this, folio));
  }

  run(check: () => void): RaceRun {
    const checkAll = (): void => {
      check();
      this.finish();
    };
    return { tasks: this.tasks, check: checkAll, outcome: () => this.outcome() };
  }
}

export function* write({ mem, file }: FileScene): Blocking<string> {
  yield "writer-begins";
  const written = yield* genericPerformWrite(mem, file, 0, new Int32Array(1024).fill(NEW));
  return written === 1024 ? "wrote" : `${written}`;
}

export function* read({ mem, file }: FileScene): Blocking<string> {
  yield "reader-begins";
  const words = new Int32Array(1);
  const got = yield* filemapRead(mem, file, new FileReadahead(0), 0, words);
  return got === 1 ? `read ${words[0]}` : `read ${got}`;
}

export function* truncate({ mem, file }: FileScene): Blocking<string> {
  yield "truncater-begins";
  yield* truncateFile(mem, file, 0);
  return "truncated";
}

export function* drop({ mem, file }: FileScene): Blocking<string> {
  yield "dropper-begins";
  return (yield* invalidateMappingPages(mem, file, 0, 0)) === 1 ? "dropped" : "kept";
}

/** Begins to write all that is dirty, and has the device do it. */
export function* sync({ mem, file, device }: FileScene): Blocking<string> {
  yield "sync-begins";
  yield* doWritepages(mem, file, { sync: "none", first: 0, last: 0, pagesToWrite: 1 });
  yield "device-at-work";
  device.poll();
  return "synced";
}

/** Whatever is still dirty reaches the device now. */
export function onDevice({ mem, file, device }: FileScene): number {
  runToEnd(doWritepages(mem, file, { sync: "all", first: 0, last: 0, pagesToWrite: 1 }));
  device.poll();
  runToEnd(filemapWriteAndWait(mem, file));
  return device.disk.readWord(0);
}

export function moveAnd(
  use: (scene: FileScene) => Blocking<string>,
  check: (scene: FileScene) => void,
) {
  return (): RaceRun => {
    const scene = new FileScene();
    scene.addMover();
    scene.addTask("user", use(scene));
    return scene.run(() => check(scene));
  };
}

export function holdsOld({ mem, folio }: FileScene): void {
  assert.ok(folio === null || mem.frames.readWord(folio, 0) === OLD, "the contents are lost");
}

export function holdsNew(scene: FileScene): void {
  const { mem, folio, file } = scene;
  assert.ok(folio !== null && mem.frames.readWord(folio, 0) === NEW, "the write is lost");
  assert.ok((mem.flags[folio] & PG.dirty) !== 0, "the page that was written is clean");
  assert.ok(file.folios.isMarked(0, MARK.dirty), "the page that was written is not marked");
  assert.equal(onDevice(scene), NEW);
}

export function isGone({ file }: FileScene): void {
  assert.equal(file.folios.pageCount, 0, "a page behind the file's end");
}

/** A process that maps the file, and whether a page of it is mapped in the end. */
export function mapFile(scene: FileScene, kind: "shared" | "private"): Blocking<string>[] {
  const { vm, file } = scene;
  const mm = vm.createMm("a process");
  const range = { ...mm.freeRange(1), pgoff: 0 };
  const vma = kind === "shared" ? vm.mapFile(mm, range, file) : vm.mapFilePrivate(mm, range, file);
  function* readPage(): Blocking<string> {
    return `${yield* readUser(vm, mm, vma.startVpn, 0)}`;
  }
  function* writePage(): Blocking<string> {
    return `${yield* writeUser(vm, mm, vma.startVpn, 0, NEW)}`;
  }
  return [readPage(), writePage()];
}

export function isMappedAnywhere({ vm }: FileScene): boolean {
  return vm.mms.some((mm) =>
    mm?.vmas.some(({ startVpn }) => {
      const entry = mm.directory.find(startVpn);
      return entry !== NO_ENTRY && vm.tables.bits(entry) !== 0;
    }),
  );
}
