/**
 * What must hold of merged pages at rest: nobody merges, takes apart or moves one.
 */
import { folioTestKsm, MAPPING_KSM, mappingId } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { ksmMappings } from "../vm/ksm/ksm-mappings.ts";
import type { AnonVma } from "../vm/mm.ts";
import { NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import type { Machine } from "./machine.ts";

export function checkKsm(machine: Machine): string | null {
  const { mem } = machine;
  for (let pfn = 0 as Pfn; pfn < mem.pageCount; pfn = (pfn + 1) as Pfn) {
    if (!folioTestKsm(mem, pfn) || (mem.flags[pfn] & PG.tail) !== 0) continue;
    const wrong = mergedPageFault(machine, pfn as Folio);
    if (wrong !== null) return `merged page ${pfn}: ${wrong}`;
  }
  return checkItems(machine);
}

function mergedPageFault({ mem, vm }: Machine, page: Folio): string | null {
  if ((mem.flags[page] & PG.anonExclusive) !== 0) return "is marked as one process's";
  // No node names it: without memory for a copy it stays so until it is written to.
  if (mem.mapping[page] === MAPPING_KSM) return null;
  const id = mappingId(mem.mapping[page]);
  if (vm.ksm.nodes[id] === undefined) return `there is no node ${id}`;
  if (mem.ksmFolios[id] !== page) return `node ${id} names ${mem.ksmFolios[id]}`;
  // An entry of a forked process may be found by its parent's item and by its own.
  const known = new Set<number>();
  for (const { vma, vpn } of ksmMappings(vm, page)) {
    const entry = vma.mm.directory.find(vpn);
    if (entry === NO_ENTRY || vm.tables.pfn(entry) !== (page as number)) continue;
    const bits = vm.tables.bits(entry);
    if ((bits & PTE.write) !== 0) return `${vma.mm.name} may write to it`;
    if ((bits & PTE.present) !== 0) known.add(entry);
  }
  const mapped = mem.mapcount[page];
  // A process whose parent merged the page is not known from its parent's end to its own scan.
  return known.size <= mapped ? null : `${known.size} mappings are known, mapcount ${mapped}`;
}

/** Items name their nodes, and hold each anon_vma as often as it is held. */
function checkItems({ vm }: Machine): string | null {
  const holds = new Map<AnonVma, number>();
  const known = [...vm.ksm.items.values()].flatMap((items) => [...items.values()]);
  for (const item of [...known, ...vm.ksm.leaving]) {
    if (item.node !== null && !item.node.items.includes(item)) {
      return `${item.mm.name} page ${item.vpn}: its node ${item.node.id} does not know it`;
    }
    const { anonVma } = item;
    if (anonVma !== null) holds.set(anonVma, (holds.get(anonVma) ?? 0) + 1);
  }
  for (const anonVma of vm.anonVmas) {
    if (anonVma === undefined) continue;
    const held = holds.get(anonVma) ?? 0;
    if (anonVma.refcount !== held) {
      return `anon_vma ${anonVma.id}: ${anonVma.refcount} references, ${held} merged pages`;
    }
  }
  return null;
}
