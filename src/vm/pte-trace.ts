/**
 * Page table entries as x86-64 holds them, for the trace events that print them raw.
 *
 * A present entry is its frame and bits. A migration entry is of the swap kind: a type in bits
 * 59-63, the inverted offset from bit 9, which holds the frame and, above 40 bits of it, whether
 * the page was young and dirty. Checked against records of Linux 6.1 (compaction/keep_1_of_16).
 */
import type { TraceSink } from "../events/events.ts";
import { PTE, PTE_MIGRATION } from "./pte.ts";

const X86 = {
  present: 0x1,
  write: 0x2,
  user: 0x4,
  young: 0x20,
  dirty: 0x40,
  /** Of a huge entry. */
  pageSize: 0x80,
  softDirty: 0x800,
};
const NO_EXECUTE = 1n << 63n;
const SWAP_SOFT_DIRTY = 0x2n;
const SWAP_TYPE_READ = 27n;
const SWAP_TYPE_READ_EXCLUSIVE = 28n;
const SWAP_TYPE_WRITE = 29n;
const OFFSET_YOUNG = 1n << 40n;
const OFFSET_DIRTY = 1n << 41n;
/** Bits 9 to 58. */
const OFFSET_MASK = ((1n << 50n) - 1n) << 9n;

/** `set_migration_pte` or `remove_migration_pte`; `order` is what the kernel prints. */
export function tracePte(
  trace: TraceSink,
  name: "set_migration_pte" | "remove_migration_pte",
  vpn: number,
  pfn: number,
  bits: number,
  order: number,
): void {
  const address = (BigInt(vpn) << 12n).toString(16);
  const pte = x86Pte(pfn, bits).toString(16);
  trace.event(name, `addr=${address}, pte=${pte} order=${order}`);
}

/** `set_migration_pmd` or `remove_migration_pmd`, of the trace system `thp`. */
export function tracePmd(
  trace: TraceSink,
  name: "set_migration_pmd" | "remove_migration_pmd",
  vpn: number,
  pfn: number,
  bits: number,
): void {
  const address = (BigInt(vpn) << 12n).toString(16);
  trace.event(name, `addr=${address}, pmd=${x86Pte(pfn, bits).toString(16)}`);
}

/** The 64-bit entry. */
export function x86Pte(pfn: number, bits: number): bigint {
  return (bits & PTE_MIGRATION) !== 0 ? swapPte(pfn, bits) : presentPte(pfn, bits);
}

function presentPte(pfn: number, bits: number): bigint {
  let low = X86.present | X86.user;
  if ((bits & PTE.write) !== 0) low |= X86.write;
  if ((bits & PTE.young) !== 0) low |= X86.young;
  if ((bits & PTE.dirty) !== 0) low |= X86.dirty;
  if ((bits & PTE.huge) !== 0) low |= X86.pageSize;
  if ((bits & PTE.softDirty) !== 0) low |= X86.softDirty;
  return NO_EXECUTE | (BigInt(pfn) << 12n) | BigInt(low);
}

function swapPte(pfn: number, bits: number): bigint {
  let type = SWAP_TYPE_READ;
  if ((bits & PTE.migrationWrite) !== 0) type = SWAP_TYPE_WRITE;
  else if ((bits & PTE.migrationReadExclusive) !== 0) type = SWAP_TYPE_READ_EXCLUSIVE;
  let offset = BigInt(pfn);
  if ((bits & PTE.young) !== 0) offset |= OFFSET_YOUNG;
  if ((bits & PTE.dirty) !== 0) offset |= OFFSET_DIRTY;
  const softDirty = (bits & PTE.softDirty) !== 0 ? SWAP_SOFT_DIRTY : 0n;
  return (type << 59n) | (OFFSET_MASK & ~(offset << 9n)) | softDirty;
}
