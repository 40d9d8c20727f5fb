import type {
  BlockDevice,
  BlockRequest,
  MemoryDevice,
} from "../../src/pagecache/device/block-device.ts";

/** A device that reads at once and writes when it is told to. */
export class PolledDevice implements BlockDevice {
  readonly disk: MemoryDevice;
  private readonly requests: BlockRequest[] = [];

  constructor(disk: MemoryDevice) {
    this.disk = disk;
  }

  submit(request: BlockRequest): void {
    if (request.kind === "read") this.disk.submit(request);
    else this.requests.push(request);
  }

  poll(): void {
    for (const request of this.requests.splice(0)) this.disk.submit(request);
  }
}
