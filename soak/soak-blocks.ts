/**
 * The blocks of a device, used by who holds their buffers and nothing else, as a filesystem uses
 * its own.
 *
 * Bytes are read and written where the buffer says that they are at that moment. Of a device whose
 * pages are dropped now and then the buffers are held and no more: they outlive their pages so.
 */
import { assert } from "../src/base/assert.ts";
import { mix32 } from "../src/base/random.ts";
import { PAGE_SIZE } from "../src/memory/constants.ts";
import { PAGE_WORDS } from "../src/memory/frames.ts";
import type { Folio, Pfn } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import { bufferMigrateFolioNorefs } from "../src/migrate/buffer-callbacks.ts";
import type { AddressSpace } from "../src/pagecache/address-space.ts";
import { bread, openBlkdev } from "../src/pagecache/blkdev.ts";
import { BH, type BufferHead } from "../src/pagecache/buffers/buffer-head.ts";
import { markBufferDirty } from "../src/pagecache/buffers/dirty-buffers.ts";
import { folioBuffers } from "../src/pagecache/buffers/folio-buffers.ts";
import { writeDirtyBuffer } from "../src/pagecache/buffers/write-buffers.ts";
import {
  type BlockDevice,
  MemoryDevice,
  SlowDevice,
} from "../src/pagecache/device/block-device.ts";
import { punchHole } from "../src/pagecache/truncate.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { Shadow } from "./shadow.ts";
import type { Owner, World } from "./world.ts";
import { writeOut } from "./write-out.ts";

const PAGES = 16;
const BLOCK_BYTES = 1024;
const BLOCK_WORDS = BLOCK_BYTES / 4;
const BLOCKS_PER_PAGE = PAGE_SIZE / BLOCK_BYTES;
/** Nanoseconds that a request takes. */
const LATENCY_MAX = 400;

/** "moves": its folios do; "old": no `migrateFolio`; "scratch": its pages are dropped. */
export type BlocksKind = "moves" | "old" | "scratch";

export class SoakBlocks implements Owner {
  readonly name: string;
  private readonly world: World;
  private readonly kind: BlocksKind;
  private readonly shadow: Shadow;
  private readonly disk: MemoryDevice;
  private readonly device: BlockDevice;
  private readonly mapping: AddressSpace;

  constructor(world: World, kind: BlocksKind) {
    this.world = world;
    this.kind = kind;
    this.name = `blocks (${kind})`;
    const seed = world.random.next();
    this.shadow = new Shadow((page, word) => mix32(seed + page * PAGE_WORDS + word));
    this.disk = new MemoryDevice(world.mem);
    for (let word = 0; word < PAGES * PAGE_WORDS; word++) {
      this.disk.writeWord(word, this.shadow.read(Math.floor(word / PAGE_WORDS), word % PAGE_WORDS));
    }
    const slowness = { latencyMin: 1, latencyMax: LATENCY_MAX, errorProbability: 0, seed };
    this.device = new SlowDevice(this.disk, world.machine.clock, slowness);
    this.mapping = this.open();
    world.owners.add(this);
    for (const user of ["a user", "another user"]) {
      world.scheduler.addWorker(`${user} of ${this.name}`, 0, () => this.useBlock());
    }
    world.scheduler.addWorker(`flusher of ${this.name}`, 0, () => this.flush());
  }

  private open(): AddressSpace {
    const { cache } = this.world.vm;
    const traits = { device: this.device, sizeBytes: PAGES * PAGE_SIZE, blockBytes: BLOCK_BYTES };
    const opened = openBlkdev(cache, { name: this.name, ...traits }, bufferMigrateFolioNorefs);
    if (this.kind !== "old") return opened;
    const { migrateFolio: _, ...ops } = opened.ops;
    return cache.createMapping(this.name, ops, traits);
  }

  private *useBlock(): Blocking<"again"> {
    const { mem, random } = this.world;
    for (let at = random.below(20); at > 0; at--) yield "block-user-waits";
    const block = random.below(PAGES * BLOCKS_PER_PAGE);
    const bh = yield* bread(mem, this.mapping, block);
    if (typeof bh === "string") return "again";
    if (this.kind === "scratch") for (let at = 0; at < 30; at++) yield "block-user-holds-it";
    else yield* this.changeBlock(bh, block);
    bh.put();
    return "again";
  }

  private *changeBlock(bh: BufferHead, block: number): Blocking<void> {
    const { mem, random } = this.world;
    for (let at = random.below(4); at >= 0; at--) {
      yield "block-user-has-it";
      this.touchWord(bh, block);
      if (random.chance(0.5)) yield* markBufferDirty(mem, this.mapping, bh);
    }
    // A word that was written and not told of would be lost.
    yield* markBufferDirty(mem, this.mapping, bh);
    if (random.chance(0.4)) yield* writeDirtyBuffer(this.device, bh);
  }

  /** Reads a word of the block and writes another one. */
  private touchWord(bh: BufferHead, block: number): void {
    const { mem, random } = this.world;
    const page = Math.floor(block / BLOCKS_PER_PAGE);
    const inBlock = (block % BLOCKS_PER_PAGE) * BLOCK_WORDS;
    const frame = (bh.folio + Math.floor(bh.offsetBytes / PAGE_SIZE)) as Pfn;
    const read = inBlock + random.below(BLOCK_WORDS);
    const [found, expected] = [mem.frames.readWord(frame, read), this.shadow.read(page, read)];
    assert(found === expected, `${this.name}: block ${block} word ${read}:`, found, expected);
    const [written, value] = [inBlock + random.below(BLOCK_WORDS), random.next()];
    mem.frames.writeWord(frame, written, value);
    this.shadow.write(page, written, value);
  }

  private *flush(): Blocking<"again"> {
    const { mem, random } = this.world;
    for (let at = random.below(80); at > 0; at--) yield "flusher-waits";
    if (this.kind === "scratch" && random.chance(0.3)) {
      yield* punchHole(mem, this.mapping, 0, PAGES * PAGE_SIZE);
      return "again";
    }
    yield* writeOut(this.world, this.mapping, random.below(PAGES));
    return "again";
  }

  /** Each block is right where it is newest: in its buffer or its page, else on the device. */
  verify(): void {
    if (this.kind === "scratch") return;
    const { mem } = this.world;
    for (let word = 0; word < PAGES * PAGE_WORDS; word++) {
      const [page, inPage] = [Math.floor(word / PAGE_WORDS), word % PAGE_WORDS];
      const folio = this.cached(page, Math.floor(inPage / BLOCK_WORDS));
      const isCached = folio !== null;
      const found = isCached ? mem.frames.readWord(folio, inPage) : this.disk.readWord(word);
      const where = isCached ? "in the cache" : "on the device";
      const isRight = found === this.shadow.read(page, inPage);
      assert(isRight, `${this.name}: page ${page} differs ${where} at word`, inPage);
    }
  }

  /** The page's folio if it has the block's bytes, or null. */
  private cached(page: number, block: number): Folio | null {
    const { mem } = this.world;
    const folio = this.mapping.folios.load(page);
    if (folio === null || (mem.flags[folio] & PG.uptodate) !== 0) return folio;
    const bh = folioBuffers(mem, this.mapping.buffers, folio)?.ring()[block];
    return bh !== undefined && (bh.state & BH.uptodate) !== 0 ? folio : null;
  }

  leave(): void {}
}
