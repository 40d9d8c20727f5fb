/** A file under everything that can be done to it, against an array that holds what it should. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.ts";
import { byteFrames } from "../memory/byte-frames.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Memory } from "../memory/memory.ts";
import { smallMemory } from "../memory/small-memory.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import type { AddressSpace } from "./address-space.ts";
import { MemoryDevice } from "./device/block-device.ts";
import { FileReadahead } from "./file-readahead.ts";
import { invalidateInodePages2, invalidateMappingPages } from "./invalidate.ts";
import { PageCache } from "./page-cache.ts";
import { filemapRead } from "./read.ts";
import { smallFile } from "./small-file.ts";
import { punchHole, truncateFile } from "./truncate.ts";
import { genericPerformWrite } from "./write.ts";
import { backgroundWriteback, filemapWriteAndWait } from "./write-cache-pages.ts";

const FRAMES = 128;
const WORDS = 20 * 1024;

class Scene {
  readonly mem: Memory = smallMemory({ pageCount: FRAMES, frames: byteFrames(FRAMES, 16) });
  readonly device: MemoryDevice = new MemoryDevice(this.mem);
  readonly file: AddressSpace = smallFile(new PageCache(this.mem), this.device, 0);
  readonly state: FileReadahead = new FileReadahead(8);
  readonly random: Random;
  /** What the file holds; its length is the file's. */
  shadow: number[] = [];
  private value = 1;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  step(): void {
    const actions = [
      (): void => this.write(),
      (): void => this.write(),
      (): void => this.read(),
      (): void => this.read(),
      (): void => this.truncate(),
      (): void => this.punch(),
      (): void => assert.equal(runToEnd(filemapWriteAndWait(this.mem, this.file)), "done"),
      (): void => void runToEnd(backgroundWriteback(this.mem, [this.file], 3)),
      (): void => void runToEnd(invalidateMappingPages(this.mem, this.file, 0, 100)),
      (): void => void runToEnd(this.dropAll()),
      (): void => lruAddDrain(this.mem),
    ];
    actions[this.random.below(actions.length)]();
  }

  private *dropAll(): Blocking<void> {
    yield* filemapWriteAndWait(this.mem, this.file);
    assert.equal(yield* invalidateInodePages2(this.mem, this.file, 0, 100), "done");
    assert.equal(this.file.folios.pageCount, 0);
  }

  private write(): void {
    const at = this.random.below(WORDS);
    const words = new Int32Array(1 + this.random.below(3000)).map(() => this.value++);
    const result = runToEnd(genericPerformWrite(this.mem, this.file, at * 4, words));
    assert.equal(result, words.length);
    while (this.shadow.length < at) this.shadow.push(0);
    for (const [word, value] of words.entries()) this.shadow[at + word] = value;
  }

  read(at: number = this.random.below(WORDS), count: number = this.random.below(3000)): void {
    const words = new Int32Array(count);
    const result = runToEnd(filemapRead(this.mem, this.file, this.state, at * 4, words));
    const expected = this.shadow.slice(at, at + count);
    assert.equal(result, expected.length);
    assert.deepEqual([...words.subarray(0, expected.length)], expected);
  }

  private truncate(): void {
    const words = this.random.below(WORDS);
    assert.equal(runToEnd(truncateFile(this.mem, this.file, words * 4)), "done");
    this.shadow.length = Math.min(this.shadow.length, words);
    while (this.shadow.length < words) this.shadow.push(0);
    this.forgetBehind(words);
  }

  /**
   * A filesystem would give the blocks behind the end, or in a hole, back; here they are zeroed.
   */
  private forgetBehind(words: number): void {
    for (let word = Math.ceil(words / 1024) * 1024; word < 2 * WORDS; word++) {
      this.device.writeWord(word, 0);
    }
  }

  private punch(): void {
    const start = this.random.below(WORDS);
    const end = Math.min(this.shadow.length, start + this.random.below(6000));
    if (start >= end) return;
    assert.equal(runToEnd(punchHole(this.mem, this.file, start * 4, end * 4)), "done");
    this.shadow.fill(0, start, end);
    for (let word = Math.ceil(start / 1024) * 1024; word < end - (end % 1024); word++) {
      this.device.writeWord(word, 0);
    }
  }
}

test("a file reads as what was written, cut off and punched, whatever was cached or written back", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const scene = new Scene(seed);
    for (let step = 0; step < 120; step++) {
      scene.step();
      const size = scene.file.sizeBytes;
      assert.equal(size, scene.shadow.length * 4);
    }
    scene.read(0, WORDS * 2);
    assert.equal(runToEnd(filemapWriteAndWait(scene.mem, scene.file)), "done");
    for (const [word, value] of scene.shadow.entries()) {
      assert.equal(scene.device.readWord(word), value, `word ${word} of the device`);
    }
    runToEnd(truncateFile(scene.mem, scene.file, 0));
    lruAddDrain(scene.mem);
    const [node] = scene.mem.nodes;
    assert.deepEqual([node.dirtyPages, node.writebackPages, node.filePages], [0, 0, 0]);
    assert.equal(scene.mem.zones[0].freePages, FRAMES - 1, "every frame came back");
  }
});
