/**
 * Block devices: where the bytes of files are when memory is not.
 *
 * A request names a stretch of one page. Its bytes are read or written when the request ends, not
 * when it is made, as a device does that reads memory by itself: who frees or moves the page before
 * loses bytes, and that shows. `done` is called once, before `submit` returns or later.
 * Linux: `struct block_device`, `submit_bio()`.
 */
import { Random } from "../../base/random.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Clock } from "../../sched/clock.ts";

export type BlockResult = "done" | "EIO";

export interface BlockRequest {
  readonly kind: "read" | "write";
  /** In units of `sizeBytes`, from the start of the device. */
  readonly block: number;
  readonly sizeBytes: number;
  readonly folio: Folio;
  /** From the start of the folio; the stretch ends in the page in which it begins. */
  readonly offsetBytes: number;
  readonly done: (result: BlockResult) => void;
}

export interface BlockDevice {
  submit(request: BlockRequest): void;
}

/** A device in memory, all zeros at first; a request ends at once. */
export class MemoryDevice implements BlockDevice {
  private readonly mem: Memory;
  /** By word from the start of the device; what is not there is zero. */
  private readonly words: Map<number, number> = new Map();

  constructor(mem: Memory) {
    this.mem = mem;
  }

  submit({ kind, block, sizeBytes, folio, offsetBytes, done }: BlockRequest): void {
    const { frames } = this.mem;
    const onDevice = (block * sizeBytes) / 4;
    const page = this.mem.pfn(folio + Math.floor(offsetBytes / PAGE_SIZE));
    const inPage = (offsetBytes % PAGE_SIZE) / 4;
    // A token stands for a whole page and is its first word; the others would undo it.
    const words = frames.contents === "tokens" ? 1 : sizeBytes / 4;
    for (let at = 0; at < words; at++) {
      if (kind === "write") this.words.set(onDevice + at, frames.readWord(page, inPage + at));
      else frames.writeWord(page, inPage + at, this.readWord(onDevice + at));
    }
    done("done");
  }

  /** A 4-byte word; `word` counts from the start of the device. */
  readWord(word: number): number {
    return this.words.get(word) ?? 0;
  }

  /** What the device holds to begin with. */
  writeWord(word: number, value: number): void {
    this.words.set(word, value);
  }
}

export interface Slowness {
  /** Nanoseconds that a request takes, least and most; where they differ, ends change order. */
  readonly latencyMin: number;
  readonly latencyMax: number;
  /** From 0, no request fails, to 1, all do. */
  readonly errorProbability: number;
  readonly seed: number;
}

/** Another device with latency, with ends out of order and with errors, the same for one seed. */
export class SlowDevice implements BlockDevice {
  /** Requests made that have not ended. */
  inFlight = 0;
  private readonly inner: BlockDevice;
  private readonly clock: Clock;
  private readonly slowness: Slowness;
  private readonly random: Random;

  constructor(inner: BlockDevice, clock: Clock, slowness: Slowness) {
    this.inner = inner;
    this.clock = clock;
    this.slowness = slowness;
    this.random = new Random(slowness.seed);
  }

  submit(request: BlockRequest): void {
    const { latencyMin, latencyMax, errorProbability } = this.slowness;
    const latency = latencyMin + this.random.below(latencyMax - latencyMin + 1);
    const fails = this.random.chance(errorProbability);
    this.inFlight++;
    this.clock.after(latency, () => {
      this.inFlight--;
      if (fails) request.done("EIO");
      else this.inner.submit(request);
    });
  }
}
