/**
 * A block device for scenarios: each request ends by an event of the clock, so that everything may
 * come before; in which order, and whether with an error, are choices of the run.
 */
import type { Memory } from "../memory/memory.ts";
import {
  type BlockDevice,
  type BlockRequest,
  MemoryDevice,
} from "../pagecache/device/block-device.ts";
import type { Clock } from "../sched/clock.ts";
import type { FaultSource } from "./faults.ts";

export interface LabDeviceOptions {
  /** Any request may end with EIO, which is a fault. */
  readonly errors?: boolean;
  /** A request may be overtaken by one that is made later. */
  readonly reorders?: boolean;
}

/** What the lab gives a device. */
export interface DeviceLab extends FaultSource {
  readonly clock: Clock;
  choose<T>(about: string, values: readonly T[]): T;
}

/** Nanoseconds that a request takes, and one that is overtaken. */
const LATENCY = 100_000;
const LONG_LATENCY = 1_000_000;

export class LabDevice implements BlockDevice {
  /** What is on it. */
  readonly storage: MemoryDevice;
  /** Requests that have not ended. */
  inFlight = 0;
  private readonly lab: DeviceLab;
  private readonly options: LabDeviceOptions;

  constructor(lab: DeviceLab, mem: Memory, options: LabDeviceOptions) {
    this.lab = lab;
    this.options = options;
    this.storage = new MemoryDevice(mem);
  }

  /** While the scene is set or looked at, a request ends at once and without a fault. */
  submit(request: BlockRequest): void {
    const { lab, options, storage } = this;
    if (!lab.isRunning) {
      storage.submit(request);
      return;
    }
    const { kind, block } = request;
    const fails = options.errors === true && lab.fault(`the ${kind} of block ${block} fails`);
    const about = `the ${kind} of block ${block} takes ns`;
    const latency =
      options.reorders === true ? lab.choose(about, [LATENCY, LONG_LATENCY]) : LATENCY;
    this.inFlight++;
    lab.clock.after(latency, () => {
      this.inFlight--;
      if (fails) request.done("EIO");
      else storage.submit(request);
    });
  }
}
