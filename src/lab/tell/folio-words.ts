/** Words of the memory map in words of people: flags by name, owners by name, entries. */
import {
  MAPPING_ANON,
  MAPPING_FLAGS,
  MAPPING_KSM,
  MAPPING_MOVABLE,
  mappingId,
} from "../../memory/mapping-word.ts";
import { PG } from "../../memory/page-flags.ts";
import { PTE, PTE_MIGRATION } from "../../vm/pte.ts";
import type { Vm } from "../../vm/vm.ts";

/** Each bit with its first name. */
const FLAG_NAMES: readonly (readonly [number, string])[] = namesOfBits(PG);

const PTE_NAMES = namesOfBits(PTE).filter(([bit]) => (bit & (PTE.present | PTE_MIGRATION)) === 0);

function namesOfBits(bits: Readonly<Record<string, number>>): (readonly [number, string])[] {
  const names = new Map<number, string>();
  for (const [name, bit] of Object.entries(bits)) if (!names.has(bit)) names.set(bit, name);
  return [...names];
}

/** Names of the flags that are set, those that this kind of page gives them. */
export function flagNames(flags: number, mapping: number): string[] {
  const set = FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0);
  return set.map(([, name]) => aliasOf(name, flags, mapping));
}

function aliasOf(name: string, flags: number, mapping: number): string {
  const kind = mapping & MAPPING_FLAGS;
  if (name === "ownerPriv1") return (flags & PG.swapbacked) !== 0 ? "swapcache" : "checked";
  if (name === "mappedToDisk" && (kind & MAPPING_ANON) !== 0) return "anonExclusive";
  if (name === "reclaim" && kind === MAPPING_MOVABLE) return "isolated";
  return name;
}

/** Who owns a folio with this mapping word. */
export function mappingText({ cache }: Vm, word: number): string {
  if (word === 0) return "none";
  const kind = word & MAPPING_FLAGS;
  if (kind === MAPPING_KSM) return "KSM";
  if (kind === MAPPING_ANON) return "anonymous";
  const id = mappingId(word);
  if (kind !== MAPPING_MOVABLE) return cache.mappings[id]?.name ?? `no file (${word})`;
  return id < 0 ? "movable, let go of" : `movable, of ${cache.movableOps[id]?.name ?? word}`;
}

/** One entry of a page table. */
export function entryText(pfn: number, bits: number): string {
  if (bits === 0) return "none";
  const names = PTE_NAMES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  const bitsText = names.length === 0 ? "" : ` (${names.join(" ")})`;
  if ((bits & PTE_MIGRATION) !== 0) return `migration entry of ${pfn}${bitsText}`;
  if ((bits & PTE.swap) !== 0) return `slot ${pfn} in swap${bitsText}`;
  return `maps ${pfn}${bitsText}`;
}
