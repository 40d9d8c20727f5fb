/**
 * What a page is, cut so that each page is of one kind: the classes that a map or a table shows.
 *
 * The kind says who owns the page. What else holds of it (dirty, mlocked, mapped how often) is in
 * the flag word and the mapcount, for which the predicates below stand. Codes and colours are for
 * every view: text maps, tables, the report.
 */
import { PG } from "../memory/page-flags.ts";

export const PAGE_KIND = {
  hole: 0,
  free: 1,
  anonymous: 2,
  anonymousHuge: 3,
  swapCache: 4,
  ksm: 5,
  file: 6,
  fileHuge: 7,
  shmem: 8,
  hugetlb: 9,
  slab: 10,
  pageTable: 11,
  kernel: 12,
  unknown: 13,
  reserved: 14,
  zero: 15,
  offline: 16,
  poisoned: 17,
  driver: 18,
  late: 19,
} as const;

export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

/** How a kind is written and drawn. */
export interface PageKindLook {
  readonly kind: PageKind;
  /** The key in `PAGE_KIND`, for JSON. */
  readonly key: keyof typeof PAGE_KIND;
  readonly name: string;
  /** One character, for maps without colour. */
  readonly code: string;
  /** 24 bits, red first. */
  readonly colour: number;
  /** What one sees when one asks what it is. */
  readonly means: string;
}

/** By number of kind. */
export const PAGE_KINDS: readonly PageKindLook[] = [
  look("hole", "hole", " ", 0x1c1f26, "no memory behind this frame number"),
  look("free", "free", ".", 0x3a4657, "on the buddy lists"),
  look("anonymous", "anonymous", "a", 0x4c9be8, "a process's own memory"),
  look("anonymousHuge", "anonymous, huge", "A", 0x1f5fb8, "a process's own memory, 2 MiB folios"),
  look("swapCache", "swap cache", "w", 0x7fd1e6, "anonymous or shmem, with a slot in swap"),
  look("ksm", "shared by KSM", "k", 0x86a8ff, "equal anonymous pages, merged"),
  look("file", "file", "f", 0x54b865, "page cache: contents of files and block devices"),
  look("fileHuge", "file, huge", "F", 0x257a3a, "page cache or shmem, 2 MiB folios"),
  look("shmem", "shmem", "m", 0xa6cf4d, "tmpfs and shared anonymous memory"),
  look("hugetlb", "hugetlb", "H", 0x8a63d2, "huge pages of a pool"),
  look("slab", "slab", "s", 0xe0a030, "the kernel's small objects"),
  look("pageTable", "page table", "t", 0xd9679b, "page tables of processes"),
  look(
    "kernel",
    "kernel",
    "x",
    0xd8563f,
    "taken by the kernel or a driver: a compound or marked page",
  ),
  look(
    "unknown",
    "kernel or per-CPU",
    "?",
    0xa9746a,
    "no flag at all: the kernel's, or free on a CPU's own list",
  ),
  look(
    "reserved",
    "reserved",
    "r",
    0x6b5d57,
    "never given to the allocator: firmware, kernel image, memory map",
  ),
  look("zero", "zero page", "z", 0x8d8d8d, "the page of zeros that all share"),
  look("offline", "offline", "o", 0x5f6f6f, "given away by a balloon or a memory device"),
  look("poisoned", "poisoned", "!", 0xff2d2d, "taken out of use after a memory error"),
  look(
    "driver",
    "driver",
    "d",
    0xb78bd0,
    "a driver's, mapped or used as if: zsmalloc, buffers shared with a process",
  ),
  look(
    "late",
    "not set up yet",
    "-",
    0x4a4258,
    "memory that the kernel has not given its allocator yet",
  ),
];

function look(
  key: keyof typeof PAGE_KIND,
  name: string,
  code: string,
  colour: number,
  means: string,
): PageKindLook {
  return { kind: PAGE_KIND[key], key, name, code, colour, means };
}

/** One bit for each kind: `kindSet(a, b) >>> kind & 1`. */
function kindSet(...kinds: PageKind[]): number {
  return kinds.reduce<number>((set, kind) => set | (1 << kind), 0);
}

const MOVABLE_OWNERS = kindSet(
  PAGE_KIND.anonymous,
  PAGE_KIND.anonymousHuge,
  PAGE_KIND.swapCache,
  PAGE_KIND.ksm,
  PAGE_KIND.file,
  PAGE_KIND.fileHuge,
  PAGE_KIND.shmem,
);

const KERNEL_OWNERS = kindSet(
  PAGE_KIND.slab,
  PAGE_KIND.pageTable,
  PAGE_KIND.kernel,
  PAGE_KIND.unknown,
);

/** Belongs to a process or a file, so that the LRU knows it and migration may move it. */
export function isMovableKind(kind: number): boolean {
  return ((MOVABLE_OWNERS >>> kind) & 1) !== 0;
}

/** Taken by the kernel from the allocator; free pages on a per-CPU list look like it too. */
export function isKernelKind(kind: number): boolean {
  return ((KERNEL_OWNERS >>> kind) & 1) !== 0;
}

/** Locked into memory by its process; state of the head for a compound folio. */
export function isMlocked(flags: number): boolean {
  return (flags & PG.mlocked) !== 0;
}

/** On the unevictable list: mlocked, or of an owner that never gives it up. */
export function isUnevictable(flags: number): boolean {
  return (flags & PG.unevictable) !== 0;
}

/** Contents newer than the owner's copy, or on their way there. */
export function isDirtyOrWriteback(flags: number): boolean {
  return (flags & (PG.dirty | PG.writeback)) !== 0;
}
