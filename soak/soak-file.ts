/**
 * A file that processes map, on a device that takes its time, with what each word must be.
 *
 * Every page is right in the cache if it is there and up to date, else on the device. What is
 * written by way of a mapping is right at once, as the shadow is changed with the word.
 */
import { assert } from "../src/base/assert.ts";
import { mix32 } from "../src/base/random.ts";
import { PAGE_SIZE } from "../src/memory/constants.ts";
import { folioPut } from "../src/memory/folio-ref.ts";
import { PAGE_WORDS } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { AddressSpace, AddressSpaceOperations } from "../src/pagecache/address-space.ts";
import { MemoryDevice, SlowDevice } from "../src/pagecache/device/block-device.ts";
import { filemapNewFolio } from "../src/pagecache/new-folio.ts";
import { smallFile } from "../src/pagecache/small-file.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { addCutter, type MappedFile } from "./mapped-file.ts";
import { Shadow } from "./shadow.ts";
import type { Owner, World } from "./world.ts";
import { writeOut } from "./write-out.ts";

/** Nanoseconds that a request takes: an operation goes on for many steps meanwhile. */
const LATENCY_MAX = 400;
const LARGE_ORDER_MAX = 3;

export interface FileOptions {
  readonly name: string;
  readonly pages: number;
  readonly isWritable: boolean;
  /** What its owner can do beyond reading and writing. */
  readonly ops: AddressSpaceOperations;
}

export class SoakFile implements Owner, MappedFile {
  readonly name: string;
  readonly pages: number;
  readonly isWritable: boolean;
  readonly mapping: AddressSpace;
  readonly shadow: Shadow;
  cutFrom: number;
  private readonly world: World;
  private readonly disk: MemoryDevice;

  constructor(world: World, { name, pages, isWritable, ops }: FileOptions) {
    this.world = world;
    this.name = name;
    this.pages = pages;
    this.cutFrom = pages;
    this.isWritable = isWritable;
    const seed = world.random.next();
    this.shadow = new Shadow((page, word) => mix32(seed + page * PAGE_WORDS + word));
    this.disk = new MemoryDevice(world.mem);
    for (let page = 0; page < pages; page++) {
      for (let word = 0; word < PAGE_WORDS; word++) {
        this.disk.writeWord(page * PAGE_WORDS + word, this.shadow.read(page, word));
      }
    }
    const slowness = { latencyMin: 1, latencyMax: LATENCY_MAX, errorProbability: 0, seed };
    const device = new SlowDevice(this.disk, world.scheduler.clock, slowness);
    this.mapping = smallFile(world.vm.cache, device, pages, ops);
    world.owners.add(this);
    world.files.push(this);
    world.scheduler.addWorker(`reader of ${name}`, 0, () => this.readLarge());
    if (!isWritable) return;
    world.scheduler.addWorker(`flusher of ${name}`, 0, () => this.writeSome());
    addCutter(world, this, (fromPage) => this.freeBlocks(fromPage));
  }

  /** Reads some pages in a row into one folio, as filesystems that have large ones do. */
  private *readLarge(): Blocking<"again"> {
    const { mem, random } = this.world;
    const { mapping } = this;
    for (let at = random.below(100); at > 0; at--) yield "reader-waits";
    const order = 1 + random.below(LARGE_ORDER_MAX);
    const offset = random.below(this.pages >> order) << order;
    yield* mapping.invalidateLock.lockShared();
    if ((offset + (1 << order)) * PAGE_SIZE <= mapping.sizeBytes) {
      const folio = yield* filemapNewFolio(mem, mapping, offset, order);
      if (typeof folio === "number") {
        const { readFolio } = mapping.ops;
        assert(readFolio !== undefined, "a file that cannot be read:", this.name);
        this.world.hold(folio, 1);
        yield* readFolio(mem, mapping, folio);
        this.world.hold(folio, -1);
        folioPut(mem, folio);
      }
    }
    mapping.invalidateLock.unlockShared();
    return "again";
  }

  /** What was cut off reads as zeros when the file has grown again. */
  private freeBlocks(fromPage: number): void {
    const end = this.pages * PAGE_WORDS;
    for (let word = fromPage * PAGE_WORDS; word < end; word++) this.disk.writeWord(word, 0);
  }

  /** Writes one page out, as the flusher does. */
  private *writeSome(): Blocking<"again"> {
    const { random } = this.world;
    for (let at = random.below(60); at > 0; at--) yield "flusher-waits";
    yield* writeOut(this.world, this.mapping, random.below(this.pages));
    return "again";
  }

  verify(): void {
    const { mem } = this.world;
    for (let page = 0; page < this.cutFrom; page++) {
      const folio = this.mapping.folios.load(page);
      const inCache = folio !== null && (mem.flags[folio] & PG.uptodate) !== 0;
      const at = inCache ? folio + (page - mem.index[folio]) : 0;
      const frames = inCache ? mem.frames : this.onDisk(page);
      const word = this.shadow.differsAt(page, frames, at as Pfn);
      const where = inCache ? "in the cache" : "on the device";
      assert(word === -1, `${this.name}: page ${page} differs ${where} at word`, word);
    }
  }

  leave(): void {}

  private onDisk(page: number): { readWord(pfn: Pfn, word: number): number } {
    return { readWord: (_, word) => this.disk.readWord(page * PAGE_WORDS + word) };
  }
}
