/** Shared memory that processes map: its pages are in the cache, in swap, or were never written. */
import { assert } from "../src/base/assert.ts";
import { PAGE_SIZE } from "../src/memory/constants.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import type { AddressSpace } from "../src/pagecache/address-space.ts";
import { addCutter, type MappedFile } from "./mapped-file.ts";
import { Shadow } from "./shadow.ts";
import { swappedOut } from "./swapped-out.ts";
import type { Owner, World } from "./world.ts";

const PAGES = 48;

export class SoakShmem implements Owner, MappedFile {
  readonly name: string = "shared memory";
  readonly pages: number = PAGES;
  readonly isWritable: boolean = true;
  readonly mapping: AddressSpace;
  readonly shadow: Shadow = new Shadow();
  cutFrom: number = PAGES;
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
    const { shmem } = world.vm;
    assert(shmem !== null, "a machine without shmem is loaded as one that has it");
    this.mapping = shmem.createFile(this.name, PAGES * PAGE_SIZE);
    world.owners.add(this);
    world.files.push(this);
    addCutter(world, this, () => {});
  }

  verify(): void {
    const { vm, mem } = this.world;
    const { folios, swapped } = this.mapping;
    for (let page = 0; page < this.cutFrom; page++) {
      const folio = folios.load(page);
      const slot = swapped?.get(page);
      if (folio !== null) {
        this.verifyPage(page, mem.frames, mem.pfn(folio + (page - mem.index[folio])), "cache");
      } else if (slot !== undefined) {
        const { frames, page: at } = swappedOut(vm, slot);
        this.verifyPage(page, frames, at, "swap");
      } else {
        assert(!this.shadow.has(page) || this.shadow.isZero(page), "nothing is left of page", page);
      }
    }
  }

  leave(): void {}

  private verifyPage(
    page: number,
    frames: { readWord(pfn: Pfn, word: number): number },
    at: Pfn,
    where: "cache" | "swap",
  ): void {
    const word = this.shadow.differsAt(page, frames, at);
    assert(word === -1, `${this.name}: page ${page} differs in ${where} at word`, word);
  }
}
