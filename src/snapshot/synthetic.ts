/**
 * Snapshots made up for tests: files as a kernel would write them, of memory that is known.
 *
 * A machine here is one kpageflags word pair a page and a type a pageblock; the text files are
 * counted from them, so they are consistent as those of an idle machine are.
 */
import { MAX_ORDER, MIGRATE_TYPES, MIGRATETYPE_NAMES } from "../memory/constants.ts";
import { largestOrderAt } from "./free-blocks.ts";
import type { SnapshotEntry } from "./read-snapshot.ts";

/** Entries of kpageflags, low words; those of the kernel's pages as 6.18 shows them. */
export const ENTRY = {
  unknown: 0x0,
  free: 0x400,
  anonymous: 0x5828,
  file: 0x28,
  shmem: 0x403c,
  slab: 0x80,
  slabHead: 0x8080,
  slabTail: 0x10080,
  pageTable: 0x4000000,
  anonymousHead: 0x40d828,
  anonymousTail: 0x415828,
  hole: 0x100000,
} as const;

/** One zone, "Normal" of node 0, of whole pageblocks from `startPfn` on. */
export interface SyntheticMachine {
  /** By pfn from 0, low words of kpageflags. */
  readonly entries: Uint32Array;
  readonly startPfn: number;
  /** By pageblock from frame 0. */
  readonly types: Uint8Array;
}

/** Which pages of a free block have BUDDY. */
export type Marks = "every page" | "heads only";

interface FreeBlock {
  readonly pfn: number;
  readonly order: number;
}

/** The files of one side, by name, as `openSnapshot` would find them in a folder. */
export function filesOf(machine: SyntheticMachine, marks: Marks): Map<string, Uint8Array> {
  const { entries, startPfn, types } = machine;
  const blocks = freeBlocksOf(machine);
  const words = new Uint32Array(entries.length * 2);
  for (const [pfn, low] of entries.entries()) words[2 * pfn] = low;
  if (marks === "heads only") {
    for (const [pfn, low] of entries.entries()) if (low === ENTRY.free) words[2 * pfn] = 0;
    for (const { pfn } of blocks) words[2 * pfn] = ENTRY.free;
  }
  const spanned = entries.length - startPfn;
  const holes = entries.filter((low) => low === ENTRY.hole).length;
  const free = entries.filter((low) => low === ENTRY.free).length;
  const text = new TextEncoder();
  return new Map([
    ["kpageflags.u64", new Uint8Array(words.buffer)],
    ["zoneinfo", text.encode(zoneinfoText(startPfn, spanned, spanned - holes, free))],
    ["buddyinfo", text.encode(buddyinfoText(blocks))],
    ["pagetypeinfo", text.encode(pagetypeinfoText(blocks, types, startPfn))],
  ]);
}

/** Files as entries below `folder`, each handed on in chunks of `chunkBytes`. */
export async function* entriesOf(
  files: ReadonlyMap<string, Uint8Array>,
  folder: string,
  chunkBytes = 65536,
): AsyncGenerator<SnapshotEntry> {
  for (const [name, bytes] of files) {
    const path = `${folder}${name}`;
    yield { path, place: path, size: bytes.length, chunks: chunksOf(bytes, chunkBytes) };
  }
}

export async function* chunksOf(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.slice(at, at + chunkBytes);
}

/** Maximal aligned runs of free pages, ascending. */
export function freeBlocksOf({ entries, startPfn }: SyntheticMachine): FreeBlock[] {
  const blocks: FreeBlock[] = [];
  for (let pfn = startPfn; pfn < entries.length; ) {
    let end = pfn;
    while (end < entries.length && entries[end] === ENTRY.free) end++;
    while (pfn < end) {
      const order = largestOrderAt(pfn, end - pfn);
      blocks.push({ pfn, order });
      pfn += 2 ** order;
    }
    pfn++;
  }
  return blocks;
}

/** By order. */
export function countByOrder(blocks: readonly FreeBlock[]): number[] {
  const counts = new Array<number>(MAX_ORDER).fill(0);
  for (const { order } of blocks) counts[order]++;
  return counts;
}

function zoneinfoText(start: number, spanned: number, present: number, free: number): string {
  return [
    "Node 0, zone   Normal",
    `  pages free     ${free}`,
    "        boost    0",
    "        min      100",
    "        low      125",
    "        high     150",
    `        spanned  ${spanned}`,
    `        present  ${present}`,
    `        managed  ${present}`,
    "        protection: (0, 0)",
    "  pagesets",
    "    cpu: 0",
    "              count:    0",
    "              high:     300",
    "              batch:    63",
    "  node_unreclaimable:  0",
    `  start_pfn:           ${start}`,
    "",
  ].join("\n");
}

function buddyinfoText(blocks: readonly FreeBlock[]): string {
  return `Node 0, zone   Normal ${countByOrder(blocks).join(" ")} \n`;
}

function pagetypeinfoText(
  blocks: readonly FreeBlock[],
  types: Uint8Array,
  startPfn: number,
): string {
  const rows = Array.from({ length: MIGRATE_TYPES }, (_, type) => {
    const own = blocks.filter(({ pfn }) => types[pfn >>> 9] === type);
    return `Node    0, zone   Normal, type ${MIGRATETYPE_NAMES[type]} ${countByOrder(own).join(" ")}`;
  });
  const counts = Array.from(
    { length: MIGRATE_TYPES },
    (_, type) => types.subarray(startPfn >>> 9).filter((each) => each === type).length,
  );
  return [
    "Page block order: 9",
    "Pages per block:  512",
    "",
    ...rows,
    "",
    `Number of blocks type ${MIGRATETYPE_NAMES.join(" ")}`,
    `Node 0, zone   Normal ${counts.join(" ")}`,
    "",
  ].join("\n");
}
