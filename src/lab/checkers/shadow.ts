/**
 * What the users of a machine wrote, beside the machine: nothing that it answers may be otherwise.
 *
 * Tasks write and read through the shadow, words of processes' pages and of files. Writes of one
 * word that overlap may come out in either order, so a read may find any value that was not
 * overwritten for sure before it began: written by a write after whose end no other was made as a
 * whole. At the end every word is read once more by the way of its users.
 */
import type { Machine } from "../../machine/machine.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { FileReadahead } from "../../pagecache/file-readahead.ts";
import { filemapRead } from "../../pagecache/read.ts";
import { genericPerformWrite } from "../../pagecache/write.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { readUser, writeUser } from "../../vm/fault.ts";
import type { Mm } from "../../vm/mm.ts";
import { CheckError } from "../check-error.ts";

/** Where a process has a page. */
interface PageAddress {
  readonly mm: Mm;
  readonly vpn: number;
}

interface Write {
  readonly value: number;
  readonly began: number;
  /** Infinite while it goes on. */
  ended: number;
}

/** One word, and how to read it. */
interface Word {
  readonly name: string;
  readonly read: () => Blocking<number | string>;
  readonly writes: Write[];
}

export class Shadow {
  private readonly machine: Machine;
  private readonly words: Map<string, Word> = new Map();
  private now = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** What a process's page holds to begin with. */
  holds(page: PageAddress, word: number, value: number): void {
    this.remember(this.userWord(page, word), value);
  }

  /** What a file's word holds to begin with; `posBytes` is a multiple of 4. */
  fileHolds(file: AddressSpace, posBytes: number, value: number): void {
    this.remember(this.fileWord(file, posBytes), value);
  }

  /** A process writes. Returns what `writeUser` does; a write that failed is none. */
  *write(page: PageAddress, word: number, value: number): Blocking<string> {
    const write = this.begin(this.userWord(page, word), value);
    const outcome = yield* writeUser(this.machine.vm, page.mm, page.vpn, word, value);
    this.end(this.userWord(page, word), write, outcome === "done");
    return outcome;
  }

  /** A process reads. Throws a `CheckError` for a value that cannot be there. */
  *read(page: PageAddress, word: number): Blocking<void> {
    yield* this.compare(this.userWord(page, word));
  }

  /** write(2) of one word. */
  *writeFile(file: AddressSpace, posBytes: number, value: number): Blocking<void> {
    const write = this.begin(this.fileWord(file, posBytes), value);
    const { mem } = this.machine;
    const bytes = yield* genericPerformWrite(mem, file, posBytes, Int32Array.of(value));
    this.end(this.fileWord(file, posBytes), write, bytes === 4);
  }

  /** read(2) of one word. */
  *readFile(file: AddressSpace, posBytes: number): Blocking<void> {
    yield* this.compare(this.fileWord(file, posBytes));
  }

  /** Reads every word again. Throws a `CheckError` for what is lost. */
  *checkAll(): Blocking<void> {
    for (const word of this.words.values()) yield* this.compare(word);
  }

  private remember(word: Word, value: number): void {
    word.writes.push({ value, began: this.now++, ended: this.now++ });
  }

  private begin({ writes }: Word, value: number): Write {
    const write = { value, began: this.now++, ended: Number.POSITIVE_INFINITY };
    writes.push(write);
    return write;
  }

  /** What failed may have written nothing: it is forgotten. */
  private end({ writes }: Word, write: Write, isDone: boolean): void {
    if (isDone) write.ended = this.now++;
    else writes.splice(writes.indexOf(write), 1);
  }

  private *compare({ name, read, writes }: Word): Blocking<void> {
    const began = this.now++;
    const found = yield* read();
    if (writes.length === 0) return;
    const possible = writes.filter((write) => !isOverwritten(write, writes, began));
    if (possible.some(({ value }) => value === found)) return;
    const expected = [...new Set(possible.map(({ value }) => value))].join(" or ");
    throw new CheckError(`${name} is lost: found ${found}, expected ${expected}`);
  }

  private userWord({ mm, vpn }: PageAddress, word: number): Word {
    const name = `word ${word} at page ${vpn} of ${mm.name}`;
    return this.wordOf(name, () => readUser(this.machine.vm, mm, vpn, word));
  }

  private fileWord(file: AddressSpace, posBytes: number): Word {
    const name = `the word at byte ${posBytes} of ${file.name}`;
    return this.wordOf(name, () => this.readFileWord(file, posBytes));
  }

  private *readFileWord(file: AddressSpace, posBytes: number): Blocking<number | string> {
    const words = Int32Array.of(0);
    const { mem } = this.machine;
    const bytes = yield* filemapRead(mem, file, new FileReadahead(0), posBytes, words);
    return bytes === 4 ? words[0] : String(bytes);
  }

  private wordOf(name: string, read: Word["read"]): Word {
    let word = this.words.get(name);
    if (word === undefined) {
      word = { name, read, writes: [] };
      this.words.set(name, word);
    }
    return word;
  }
}

/** Whether another write came as a whole between this one's end and the beginning of a read. */
function isOverwritten(write: Write, writes: readonly Write[], began: number): boolean {
  return writes.some((other) => other.began > write.ended && other.ended < began);
}
