/**
 * Where swapped-out pages are: a block device whose blocks are pages.
 *
 * A device may say where its bytes lie (`frames`, by block as a page's by frame number), so that
 * the contents of pages that are out can be filled and proved as those of pages that are in. A
 * block is given up as soon as its slot is free: what is read from it afterwards is poison.
 * Linux: the block devices under swap, `swap_slot_free_notify`, zram.
 */
import { assert } from "../../base/assert.ts";
import { byteFrames } from "../../memory/byte-frames.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { type Frames, PAGE_WORDS, TokenFrames } from "../../memory/frames.ts";
import type { Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import {
  type BlockDevice,
  type BlockRequest,
  SlowDevice,
  type Slowness,
} from "../../pagecache/device/block-device.ts";
import type { Clock } from "../../sched/clock.ts";

/** Its requests are for whole pages: `sizeBytes` 4096, `block` the slot. */
export interface SwapDevice extends BlockDevice {
  readonly frames?: Frames;
  freeBlock?(block: number): void;
}

/** Pages in memory of its own, of which the machine knows nothing; a request ends at once. */
export class RamSwap implements SwapDevice {
  readonly frames: Frames;
  private readonly mem: Memory;

  constructor(mem: Memory, slots: number) {
    this.mem = mem;
    this.frames = mem.frames.contents === "tokens" ? new TokenFrames(slots) : byteFrames(slots);
  }

  submit({ kind, block, sizeBytes, folio, offsetBytes, done }: BlockRequest): void {
    assert(sizeBytes === PAGE_SIZE && offsetBytes === 0, "swap moves whole pages:", sizeBytes);
    const slot = block as Pfn;
    if (kind === "write") copyPage(this.frames, slot, this.mem.frames, folio);
    else copyPage(this.mem.frames, folio, this.frames, slot);
    done("done");
  }

  freeBlock(block: number): void {
    this.frames.poison(block as Pfn);
  }
}

/** The same pages behind requests that take their time, end in any order, and may fail. */
export function slowSwap(inner: SwapDevice, clock: Clock, slowness: Slowness): SwapDevice {
  const slow = new SlowDevice(inner, clock, slowness);
  return {
    ...(inner.frames === undefined ? {} : { frames: inner.frames }),
    submit: (request) => slow.submit(request),
    freeBlock: (block) => inner.freeBlock?.(block),
  };
}

function copyPage(to: Frames, dst: Pfn, from: Frames, src: Pfn): void {
  const words = from.contents === "tokens" ? 1 : PAGE_WORDS;
  for (let at = 0; at < words; at++) to.writeWord(dst, at, from.readWord(src, at));
}
