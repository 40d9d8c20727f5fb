/**
 * Each processor's cache of the buffers that it looked up last.
 *
 * An entry holds a count, so that a buffer of which nobody is using the bytes may still not be
 * freed or moved: who needs that empties all caches first. While the LRU batches are disabled
 * (`lruCacheDisable`) nothing enters. Linux: `bh_lrus`, fs/buffer.c.
 */
import type { Memory } from "../../memory/memory.ts";
import type { BufferHead } from "./buffer-head.ts";

/** Linux: `BH_LRU_SIZE`. */
const BH_LRU_SIZE = 16;

export class BhLrus {
  private readonly mem: Memory;
  /** By processor, latest first. */
  private readonly caches: BufferHead[][];

  constructor(mem: Memory) {
    this.mem = mem;
    this.caches = Array.from({ length: mem.cpuCount }, () => []);
    mem.cpuDrains.push((cpu) => this.invalidateCpu(cpu));
  }

  /** The buffer with a count for the caller, or null. Linux: `lookup_bh_lru()`. */
  lookup(device: number, block: number, sizeBytes: number): BufferHead | null {
    const cache = this.caches[this.mem.cpu];
    const at = cache.findIndex(
      (bh) => bh.block === block && bh.device === device && bh.sizeBytes === sizeBytes,
    );
    if (at === -1) return null;
    const [bh] = cache.splice(at, 1);
    cache.unshift(bh);
    bh.get();
    return bh;
  }

  /** Remembers a buffer that the caller holds. Linux: `bh_lru_install()`. */
  install(bh: BufferHead): void {
    if (this.mem.lruDisableCount > 0) return;
    const cache = this.caches[this.mem.cpu];
    const at = cache.indexOf(bh);
    if (at !== -1) cache.splice(at, 1);
    else bh.get();
    cache.unshift(bh);
    if (cache.length > BH_LRU_SIZE) cache.pop()?.put();
  }

  /** Empties the caches of every processor. Linux: `invalidate_bh_lrus()`. */
  invalidate(): void {
    for (let cpu = 0; cpu < this.caches.length; cpu++) this.invalidateCpu(cpu);
  }

  private invalidateCpu(cpu: number): void {
    for (const bh of this.caches[cpu].splice(0)) bh.put();
  }
}
