/** Devices that answer one kind of request when they are told to, and the others at once. */
import type {
  BlockDevice,
  BlockRequest,
  MemoryDevice,
} from "../../src/pagecache/device/block-device.ts";
import type { RamSwap, SwapDevice } from "../../src/vm/swap/swap-device.ts";

class Polled<Disk extends BlockDevice> implements BlockDevice {
  readonly disk: Disk;
  private readonly holds: "read" | "write";
  private readonly requests: BlockRequest[] = [];
  private isOpen = false;

  constructor(disk: Disk, holds: "read" | "write") {
    this.disk = disk;
    this.holds = holds;
  }

  submit(request: BlockRequest): void {
    if (request.kind === this.holds && !this.isOpen) this.requests.push(request);
    else this.disk.submit(request);
  }

  /** Does what was asked since the last time. */
  poll(): void {
    for (const request of this.requests.splice(0)) this.disk.submit(request);
  }

  /** The same, and whatever is asked from now on. */
  open(): void {
    this.isOpen = true;
    this.poll();
  }
}

/** A file's device: it writes, or reads, when it is told to. */
export class PolledDevice extends Polled<MemoryDevice> {
  constructor(disk: MemoryDevice, holds: "read" | "write" = "write") {
    super(disk, holds);
  }
}

/** Swap that writes when it is told to. */
export class PolledSwap extends Polled<RamSwap> implements SwapDevice {
  constructor(disk: RamSwap) {
    super(disk, "write");
  }

  get frames(): RamSwap["frames"] {
    return this.disk.frames;
  }

  freeBlock(block: number): void {
    this.disk.freeBlock(block);
  }
}
