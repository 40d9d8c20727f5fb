/**
 * A pipe whose buffers are whole pages: a process's own by vmsplice, a file's by splice.
 *
 * A buffer holds a reference to its page and no copy, so a reader finds what is in the page when
 * it reads, and a page in a pipe does not move. The ring has 16 buffers; who finds it full or empty
 * sleeps. Linux: fs/pipe.c, fs/splice.c, 6.1.
 */
import type { Errno } from "../../base/errno.ts";
import { pageFolio } from "../../memory/folio.ts";
import { folioPut, folioTryGet } from "../../memory/folio-ref.ts";
import type { Pfn } from "../../memory/memmap.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { WaitQueue } from "../../sched/wait-queue.ts";
import { FOLL, getUserPages } from "../gup.ts";
import type { Mm } from "../mm.ts";
import type { Vm } from "../vm.ts";
import { pageWords } from "./direct-io.ts";

/** Linux: PIPE_DEF_BUFFERS. */
const PIPE_BUFFERS = 16;

export class Pipe {
  private readonly vm: Vm;
  private readonly buffers: Pfn[] = [];
  private readonly changes: WaitQueue = new WaitQueue("a pipe");

  constructor(vm: Vm) {
    this.vm = vm;
  }

  /** Pages in the pipe. */
  get length(): number {
    return this.buffers.length;
  }

  /** Puts pages of a process into the pipe; returns how many. Linux: `vmsplice()`. */
  *vmsplice(mm: Mm, vpn: number, count: number): Blocking<number | Errno> {
    for (let at = 0; at < count; at++) {
      const pages = yield* getUserPages(this.vm, mm, vpn + at, 1, FOLL.get);
      if (typeof pages === "string") return at === 0 ? pages : at;
      yield* this.push(pages[0]);
    }
    return count;
  }

  /** Puts a file's cached pages into the pipe, up to the first hole; returns how many. */
  *spliceFile(mapping: AddressSpace, offset: number, count: number): Blocking<number> {
    const { mem } = this.vm;
    for (let at = 0; at < count; at++) {
      const folio = mapping.folios.load(offset + at);
      if (folio === null) return at;
      yield "splice-folio-found";
      if (!folioTryGet(mem, folio)) return at;
      if (mapping.folios.load(offset + at) !== folio) {
        folioPut(mem, folio);
        return at;
      }
      yield* this.push((folio + (offset + at - mem.index[folio])) as Pfn);
    }
    return count;
  }

  /** The words of the next page, as they are now. Linux: `pipe_read()`. */
  *read(): Blocking<Int32Array> {
    while (this.buffers.length === 0) yield this.changes;
    const page = this.buffers[0];
    const words = pageWords(this.vm, page);
    this.dropFirst();
    return words;
  }

  /** Lets go of everything in the pipe. */
  close(): void {
    while (this.buffers.length > 0) this.dropFirst();
  }

  private *push(page: Pfn): Blocking<void> {
    while (this.buffers.length === PIPE_BUFFERS) yield this.changes;
    this.buffers.push(page);
    this.changes.wakeAll();
  }

  private dropFirst(): void {
    const page = this.buffers.shift();
    if (page === undefined) return;
    folioPut(this.vm.mem, pageFolio(this.vm.mem, page));
    this.changes.wakeAll();
  }
}
