/**
 * What a process must find in its memory: its own pages, and those of files that it maps.
 *
 * Private pages are the process's, by virtual page. A page of a file is the file's until the
 * process writes to it in a private mapping: from then on it is a copy, and the process's own.
 */
import { assert } from "../src/base/assert.ts";
import { type Mm, VM, type Vma } from "../src/vm/mm.ts";
import { entryPfn, NO_ENTRY } from "../src/vm/page-tables.ts";
import { PTE } from "../src/vm/pte.ts";
import type { MappedFile } from "./mapped-file.ts";
import { Shadow } from "./shadow.ts";
import { swappedOut } from "./swapped-out.ts";
import type { World } from "./world.ts";

export class ProcessContents {
  private readonly world: World;
  private readonly mm: Mm;
  private readonly own: Shadow;

  constructor(world: World, mm: Mm, own: Shadow = new Shadow()) {
    this.world = world;
    this.mm = mm;
    this.own = own;
  }

  /** What a child of the process begins with. */
  copyFor(child: Mm): ProcessContents {
    return new ProcessContents(this.world, child, this.own.copy());
  }

  /** Whether the process has written to the page and it is not a file's. */
  isOwn(vpn: number): boolean {
    return this.own.has(vpn);
  }

  /** The word that a read of the page must find; null if nobody can know. */
  expected(vma: Vma, vpn: number, word: number): number | null {
    const [shadow, page, file] = this.contentsOf(vma, vpn);
    return file !== null && page >= file.cutFrom ? null : shadow.read(page, word);
  }

  /** The process has written a word. */
  wrote(vma: Vma, vpn: number, word: number, value: number): void {
    const [shadow, page, file] = this.contentsOf(vma, vpn);
    if ((vma.flags & VM.shared) !== 0) {
      if (file === null || page < file.cutFrom) shadow.write(page, word, value);
      return;
    }
    // A private page of a file became a copy of what the file has; that never changes.
    if (shadow !== this.own) this.own.copyPage(vpn, shadow, page);
    this.own.write(vpn, word, value);
  }

  /** A device has written to a page of the process's own. */
  wroteByDevice(vpn: number, word: number, value: number): void {
    this.own.write(vpn, word, value);
  }

  /** From `start` up to `end` the process has given its pages up. */
  forget(start: number, end: number): void {
    this.own.forget(start, end);
  }

  /** What was at `start` up to `end` is `by` pages further up. */
  move(start: number, end: number, by: number): void {
    this.own.move(start, end, by);
  }

  /** Every byte of every page, in the frame that the process reaches or in its slot in swap. */
  verify(): void {
    for (const vma of this.mm.vmas) {
      for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) this.verifyPage(vma, vpn);
    }
  }

  private verifyPage(vma: Vma, vpn: number): void {
    const { vm, mem } = this.world;
    const { name, directory } = this.mm;
    const entry = directory.lookUp(vpn);
    const bits = entry === NO_ENTRY ? 0 : vm.tables.bits(entry);
    const [shadow, page, file] = this.contentsOf(vma, vpn);
    if (file !== null && page >= file.cutFrom) return;
    if ((bits & PTE.present) !== 0) {
      const frame = mem.pfn(entryPfn(vm.tables, entry, vpn));
      const word = shadow.differsAt(page, mem.frames, frame);
      assert(word === -1, `${name}: page ${vpn} differs at word`, word);
    } else if ((bits & PTE.swap) !== 0) {
      const { frames, page: at } = swappedOut(vm, vm.tables.pfn(entry));
      const word = shadow.differsAt(page, frames, at);
      assert(word === -1, `${name}: page ${vpn} differs in swap at word`, word);
    } else {
      const isPrivate = vma.mapping === null || (vma.flags & VM.shared) === 0;
      assert(!isPrivate || !this.isOwn(vpn), `${name}: nothing is left of page`, vpn, bits);
    }
  }

  /** Whose contents a page has, by which number, and of which file, if of any. */
  private contentsOf(vma: Vma, vpn: number): [Shadow, number, MappedFile | null] {
    const file = this.world.files.find(({ mapping }) => mapping === vma.mapping);
    if (file === undefined || this.own.has(vpn)) return [this.own, vpn, null];
    const page = vma.pgoff + (vpn - vma.startVpn);
    return [file.shadow, page, file];
  }
}
