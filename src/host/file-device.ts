/**
 * A block device on a file of this machine, asynchronous as a real one is.
 *
 * A request reads or writes the file by Node's own threads and ends in the event loop, so that
 * whoever runs tasks must give the loop a turn when all of them sleep: `runTasksOnDevice` does.
 * Bytes beyond the end of the file are zeros. A write takes its bytes when it is made: the folio is
 * under writeback until it ends, and keeps them. Linux: a loop device.
 */
import { close, open, read, write } from "node:fs";
import { promisify } from "node:util";
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { BlockDevice, BlockRequest } from "../pagecache/device/block-device.ts";
import type { Clock } from "../sched/clock.ts";
import { assertFinished } from "../sched/run.ts";
import type { Task } from "../sched/task.ts";

const WORD_BYTES = 4;

export class FileDevice implements BlockDevice {
  /** Requests made that have not ended. */
  inFlight = 0;
  private readonly mem: Memory;
  private readonly fd: number;
  private ended: (() => void) | null = null;

  constructor(mem: Memory, fd: number) {
    assert(mem.frames.contents === "bytes", "tokens cannot be kept in a file");
    this.mem = mem;
    this.fd = fd;
  }

  submit(request: BlockRequest): void {
    this.inFlight++;
    const { kind, block, sizeBytes } = request;
    const bytes = kind === "write" ? this.bytesOf(request) : Buffer.alloc(sizeBytes);
    const position = block * sizeBytes;
    const end = (error: Error | null): void => this.end(request, bytes, error);
    if (kind === "write") write(this.fd, bytes, 0, sizeBytes, position, end);
    else read(this.fd, bytes, 0, sizeBytes, position, end);
  }

  /** Resolves when the next request has ended. */
  nextEnd(): Promise<void> {
    assert(this.inFlight > 0, "nobody waits for the file");
    return new Promise((resolve) => {
      this.ended = resolve;
    });
  }

  /** No request may be in flight. */
  async close(): Promise<void> {
    assert(this.inFlight === 0, "a file is closed with requests in flight:", this.inFlight);
    await promisify(close)(this.fd);
  }

  private end(request: BlockRequest, bytes: Buffer, error: Error | null): void {
    if (error === null && request.kind === "read") this.place(request, bytes);
    this.inFlight--;
    request.done(error === null ? "done" : "EIO");
    this.ended?.();
    this.ended = null;
  }

  private bytesOf(request: BlockRequest): Buffer {
    const { page, word } = this.where(request);
    const { sizeBytes } = request;
    const bytes = Buffer.alloc(sizeBytes);
    for (let at = 0; at < sizeBytes; at += WORD_BYTES) {
      bytes.writeInt32LE(this.mem.frames.readWord(page, word + at / WORD_BYTES), at);
    }
    return bytes;
  }

  private place(request: BlockRequest, bytes: Buffer): void {
    const { page, word } = this.where(request);
    for (let at = 0; at < request.sizeBytes; at += WORD_BYTES) {
      this.mem.frames.writeWord(page, word + at / WORD_BYTES, bytes.readInt32LE(at));
    }
  }

  /** The page of the request's stretch, and the word in it at which it begins. */
  private where({ folio, offsetBytes }: BlockRequest): { page: Pfn; word: number } {
    const page = this.mem.pfn(folio + Math.floor(offsetBytes / PAGE_SIZE));
    return { page, word: (offsetBytes % PAGE_SIZE) / WORD_BYTES };
  }
}

/** Opens a file, made if there is none, as a device. Rejects with what the system says. */
export async function openFileDevice(mem: Memory, path: string): Promise<FileDevice> {
  const O_RDWR_CREAT = 0o102;
  return new FileDevice(mem, await promisify(open)(path, O_RDWR_CREAT, 0o644));
}

/** Runs `tasks` in turn until each has finished, with turns of the event loop in between. */
export async function runTasksOnDevice(
  tasks: readonly Task[],
  clock: Clock,
  device: FileDevice,
): Promise<void> {
  for (;;) {
    const ready = tasks.filter(({ state }) => state === "runnable");
    for (const task of ready) if (task.state === "runnable") task.step();
    if (ready.length > 0 || clock.advance()) continue;
    if (device.inFlight === 0) break;
    await device.nextEnd();
  }
  assertFinished(tasks);
}
