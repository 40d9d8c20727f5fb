/**
 * The kpage* files as columns: each is read once, as a stream, into the arrays that stay.
 *
 * While a pair is read, a page costs 12 bytes: flags 4, kind 1, mapcount 4, cgroup 2, and 1 for the
 * kind on the other side. A file of unknown size (those of /proc say 0) grows by doubling.
 */
import { InputError } from "../base/input-error.ts";
import { pageFlagsOf, pageKindOf } from "./kpageflags.ts";
import { readWords } from "./words.ts";

/** A file as whoever opened it hands it on: a name for messages, bytes if known, contents. */
export interface SnapshotFile {
  /** What messages call it. */
  readonly place: string;
  /** Bytes; null if only reading tells. */
  readonly size: number | null;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface FlagColumns {
  readonly flags: Int32Array;
  readonly kind: Uint8Array;
}

export interface CgroupColumn {
  readonly ids: Uint16Array;
  /** Inode number by id; id 0 is inode 0, "none". */
  readonly inodes: readonly number[];
}

type Column = Int32Array | Uint16Array | Uint8Array;

/** Frames are Int32 in every column that holds one. */
const MAX_PAGES = 0x7fffffff;
/** Where a column of unknown length starts. */
const FIRST_PAGES = 0x100000;
const SHORT_RUN = 16;
const MAX_CGROUPS = 0x10000;
const ENTRY_BYTES = 8;

/** kpageflags whole. Throws `InputError` for a size that no such file has. */
export async function readFlagColumns(file: SnapshotFile): Promise<FlagColumns> {
  let flags = new Int32Array(pagesExpected(file));
  let kind = new Uint8Array(flags.length);
  const entries = await readEntries(file, (index, count, low, high) => {
    if (index + count > kind.length) {
      flags = grown(file, flags, (length) => new Int32Array(length), index + count);
      kind = grown(file, kind, (length) => new Uint8Array(length), index + count);
    }
    const pageKind = pageKindOf(low, high);
    put(flags, index, count, pageFlagsOf(low, high, pageKind));
    put(kind, index, count, pageKind);
  });
  return { flags: flags.subarray(0, entries), kind: kind.subarray(0, entries) };
}

/** Of kpageflags the kinds alone, by entry: tails are not given their head's. */
export async function readKindColumn(file: SnapshotFile): Promise<Uint8Array> {
  let kind = new Uint8Array(pagesExpected(file));
  const entries = await readEntries(file, (index, count, low, high) => {
    if (index + count > kind.length) {
      kind = grown(file, kind, (length) => new Uint8Array(length), index + count);
    }
    put(kind, index, count, pageKindOf(low, high));
  });
  return kind.subarray(0, entries);
}

/** kpagecount. A count that no page can have (a word used for something else) is cut. */
export async function readMapcountColumn(file: SnapshotFile): Promise<Int32Array> {
  let mapcount = new Int32Array(pagesExpected(file));
  const entries = await readEntries(file, (index, count, low, high) => {
    if (index + count > mapcount.length) {
      mapcount = grown(file, mapcount, (length) => new Int32Array(length), index + count);
    }
    put(mapcount, index, count, high === 0 && low >= 0 ? low : 0x7fffffff);
  });
  return mapcount.subarray(0, entries);
}

/** kpagecgroup, inode numbers made small. Beyond 65,535 cgroups the rest share the last id. */
export async function readCgroupColumn(file: SnapshotFile): Promise<CgroupColumn> {
  let ids = new Uint16Array(pagesExpected(file));
  const inodes = [0];
  const idOf = new Map<number, number>([[0, 0]]);
  const entries = await readEntries(file, (index, count, low, high) => {
    if (index + count > ids.length) {
      ids = grown(file, ids, (length) => new Uint16Array(length), index + count);
    }
    const inode = high * 2 ** 32 + (low >>> 0);
    let id = idOf.get(inode);
    if (id === undefined) {
      id = Math.min(inodes.length, MAX_CGROUPS - 1);
      idOf.set(inode, id);
      if (id === inodes.length) inodes.push(inode);
    }
    put(ids, index, count, id);
  });
  return { ids: ids.subarray(0, entries), inodes };
}

/** A list of frames (pins, a pagemap). Throws `InputError` for one beyond any memory. */
export async function readPfns(file: SnapshotFile): Promise<Int32Array> {
  let pfns = new Int32Array(pagesExpected(file));
  const entries = await readEntries(file, (index, count, low, high) => {
    if (high !== 0 || low < 0) {
      throw new InputError(`${file.place}: entry ${index}`, "a number beyond any frame", "a pfn");
    }
    if (index + count > pfns.length) {
      pfns = grown(file, pfns, (length) => new Int32Array(length), index + count);
    }
    put(pfns, index, count, low);
  });
  return pfns.subarray(0, entries);
}

async function readEntries(
  file: SnapshotFile,
  sink: (index: number, count: number, low: number, high: number) => void,
): Promise<number> {
  const { entries, rest } = await readWords(file.chunks, sink);
  const bytes = entries * ENTRY_BYTES + rest;
  if (file.size !== null && bytes !== file.size) {
    throw new InputError(file.place, `${bytes} bytes`, `the ${file.size} that its header says`);
  }
  if (rest !== 0) throw new InputError(file.place, `${bytes} bytes`, "a multiple of 8");
  return entries;
}

/** `fill`, but for the short runs of busy memory without the cost of a call into the engine. */
function put(column: Column, index: number, count: number, value: number): void {
  if (count > SHORT_RUN) column.fill(value, index, index + count);
  else for (let at = index; at < index + count; at++) column[at] = value;
}

function pagesExpected(file: SnapshotFile): number {
  if (file.size === null) return FIRST_PAGES;
  const pages = Math.ceil(file.size / ENTRY_BYTES);
  if (pages > MAX_PAGES) throw tooLong(file, pages);
  return pages;
}

function grown<T extends Column>(
  file: SnapshotFile,
  column: T,
  make: (length: number) => T,
  needed: number,
): T {
  if (needed > MAX_PAGES) throw tooLong(file, needed);
  const longer = make(Math.min(Math.max(needed, column.length * 2), MAX_PAGES));
  longer.set(column);
  return longer;
}

function tooLong(file: SnapshotFile, pages: number): InputError {
  return new InputError(file.place, `${pages} entries`, `at most ${MAX_PAGES}`);
}
