import assert from "node:assert/strict";
import { test } from "node:test";
import { PG } from "../memory/page-flags.ts";
import { pageFlagsOf, pageKindOf } from "./kpageflags.ts";
import { PAGE_KIND, PAGE_KINDS } from "./page-kinds.ts";

/** Numbers of kpageflags' bits, from the kernel's documentation of pagemap. */
const BIT = {
  REFERENCED: 2,
  UPTODATE: 3,
  DIRTY: 4,
  LRU: 5,
  ACTIVE: 6,
  SLAB: 7,
  WRITEBACK: 8,
  BUDDY: 10,
  MMAP: 11,
  ANON: 12,
  SWAPCACHE: 13,
  SWAPBACKED: 14,
  HEAD: 15,
  TAIL: 16,
  HUGE: 17,
  UNEVICTABLE: 18,
  HWPOISON: 19,
  NOPAGE: 20,
  KSM: 21,
  THP: 22,
  OFFLINE: 23,
  ZERO_PAGE: 24,
  PGTABLE: 26,
  RESERVED: 32,
  MLOCKED: 33,
  OWNER_2: 34,
  PRIVATE: 35,
} as const;

type BitName = keyof typeof BIT;

function entry(names: string): [low: number, high: number] {
  let low = 0;
  let high = 0;
  for (const name of names.split("|").filter((each) => each !== "")) {
    const bit = BIT[name as BitName];
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return [low, high];
}

/** Entries seen on real machines (6.1 and 6.18), but for swap cache and KSM. */
const SEEN: readonly (readonly [string, keyof typeof PAGE_KIND])[] = [
  ["", "unknown"],
  ["BUDDY", "free"],
  ["UPTODATE|BUDDY", "free"],
  ["UPTODATE|LRU|MMAP|ANON|SWAPBACKED|OWNER_2", "anonymous"],
  ["UPTODATE|MMAP|ANON|SWAPBACKED|OWNER_2", "anonymous"],
  ["UPTODATE|LRU|MMAP|ANON|SWAPBACKED|TAIL|THP|OWNER_2", "anonymous"],
  ["MMAP|ANON|TAIL|THP", "anonymous"],
  ["UPTODATE|DIRTY|LRU|MMAP|ANON|SWAPBACKED|UNEVICTABLE|MLOCKED", "anonymous"],
  ["UPTODATE|LRU|ANON|SWAPBACKED|SWAPCACHE", "swapCache"],
  ["UPTODATE|LRU|ANON|KSM|SWAPBACKED", "ksm"],
  ["REFERENCED|UPTODATE|LRU|ACTIVE|OWNER_2", "file"],
  ["UPTODATE|ACTIVE", "file"],
  ["REFERENCED|DIRTY|ACTIVE|PRIVATE", "file"],
  ["REFERENCED|UPTODATE|DIRTY|LRU|SWAPBACKED", "shmem"],
  ["SLAB|TAIL", "slab"],
  ["SLAB|ANON|HEAD|KSM", "slab"],
  ["UPTODATE|MMAP|ANON|HEAD|HUGE|OWNER_2", "hugetlb"],
  ["TAIL|HUGE", "hugetlb"],
  ["REFERENCED|PGTABLE", "pageTable"],
  ["OFFLINE", "offline"],
  ["HEAD", "kernel"],
  ["REFERENCED", "kernel"],
  ["MMAP|PRIVATE", "driver"],
  ["RESERVED|PRIVATE", "reserved"],
  ["REFERENCED|MMAP|RESERVED", "reserved"],
  ["ZERO_PAGE|RESERVED", "zero"],
  ["HWPOISON", "poisoned"],
  ["NOPAGE", "hole"],
];

test("each entry that real machines show is of its kind", () => {
  for (const [names, key] of SEEN) {
    const kind = pageKindOf(...entry(names));
    assert.equal(PAGE_KINDS[kind].key, key, names);
  }
});

test("every kind that one entry can show is among them", () => {
  const shown = new Set(SEEN.map(([, key]) => key));
  // Runs of tails make two of them, zoneinfo tells the third.
  const made = ["anonymousHuge", "fileHuge", "late"];
  assert.deepEqual(
    Object.keys(PAGE_KIND).filter((key) => !shown.has(key as keyof typeof PAGE_KIND)),
    made,
  );
});

test("codes and keys of kinds are unique, and the table is in the order of the numbers", () => {
  assert.equal(new Set(PAGE_KINDS.map(({ code }) => code)).size, PAGE_KINDS.length);
  assert.deepEqual(
    PAGE_KINDS.map(({ key }) => PAGE_KIND[key]),
    PAGE_KINDS.map((_, index) => index),
  );
});

function flagsOf(names: string): number {
  const words = entry(names);
  return pageFlagsOf(...words, pageKindOf(...words));
}

test("state flags of pages with an owner are taken over", () => {
  assert.equal(
    flagsOf("UPTODATE|DIRTY|LRU|MMAP|ANON|SWAPBACKED|UNEVICTABLE|MLOCKED|OWNER_2"),
    PG.uptodate |
      PG.dirty |
      PG.lru |
      PG.swapbacked |
      PG.unevictable |
      PG.mlocked |
      PG.anonExclusive,
  );
  assert.equal(
    flagsOf("LRU|ACTIVE|PRIVATE|WRITEBACK"),
    PG.lru | PG.active | PG.private | PG.writeback,
  );
});

test("stale and reused bits are not", () => {
  assert.equal(flagsOf("UPTODATE|BUDDY"), 0);
  assert.equal(flagsOf("SLAB|ANON|KSM"), PG.slab);
  assert.equal(flagsOf("RESERVED|PRIVATE"), PG.reserved);
  assert.equal(flagsOf("REFERENCED|PGTABLE"), PG.table);
});
