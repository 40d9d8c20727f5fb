/**
 * What must hold of files beyond who is in them: marks, counters of dirty pages, rings of buffers.
 *
 * A dirty folio of a file that is written back has the mark; the mark of one that was cleaned
 * without being written (truncated in part, its buffers freed) may stay behind, as in Linux, and so
 * a folio that is clean may have it while a mark `towrite` or `writeback` may not be without cause.
 */
import { folioNrPages } from "../memory/folio.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { type AddressSpace, AS } from "../pagecache/address-space.ts";
import { BH } from "../pagecache/buffers/buffer-head.ts";
import { folioBuffers } from "../pagecache/buffers/folio-buffers.ts";
import { MARK } from "../pagecache/folio-index.ts";
import type { Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

export const PAGECACHE_INVARIANTS: readonly Invariant[] = [
  { name: "dirty and writeback are marked in the index and counted", check: checkMarks },
  { name: "a ring of buffers is its folio's alone", check: checkRings },
];

function checkMarks({ mem, vm }: Machine): string | null {
  const dirty = mem.nodes.map(() => 0);
  for (const mapping of vm.cache.mappings) {
    if (!mapping.canWriteback) continue;
    let wrong: string | null = null;
    mapping.folios.forEach((offset, folio) => {
      if (mem.index[folio] !== offset) return;
      wrong ??= markFault(mem, mapping, folio, offset);
      if ((mem.flags[folio] & PG.dirty) === 0) return;
      dirty[mem.nodeOf(folio).id] += folioNrPages(mem, folio);
    });
    if (wrong !== null) return `${mapping.name}: ${wrong}`;
  }
  for (const node of mem.nodes) {
    if (dirty[node.id] === node.dirtyPages) continue;
    return `node ${node.id}: ${dirty[node.id]} dirty pages of files, counted ${node.dirtyPages}`;
  }
  const pending = mem.zones.reduce((sum, zone) => sum + zone.writePendingPages, 0);
  const counted = mem.nodes.reduce((sum, node) => sum + node.dirtyPages + node.writebackPages, 0);
  return pending === counted ? null : `${counted} pages to be written, ${pending} by zone`;
}

function markFault(
  mem: Memory,
  { folios, flags: traits }: AddressSpace,
  folio: Folio,
  offset: number,
): string | null {
  const flags = mem.flags[folio];
  const isDirty = folios.isMarked(offset, MARK.dirty);
  if ((flags & PG.dirty) !== 0 && !isDirty) return `page ${offset} is dirty without a mark`;
  if ((traits & AS.noWritebackTags) !== 0) return null;
  const isUnderWriteback = (flags & PG.writeback) !== 0;
  if (isUnderWriteback !== folios.isMarked(offset, MARK.writeback)) {
    return `page ${offset} and its mark differ in whether it is under writeback`;
  }
  const isTowrite = folios.isMarked(offset, MARK.towrite);
  return isTowrite && !isDirty ? `page ${offset} is to be written and not dirty` : null;
}

function checkRings({ mem, vm }: Machine): string | null {
  const { buffers } = vm.cache;
  let rings = 0;
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    const folio = pfn as Folio;
    if ((mem.flags[pfn] & (PG.private | PG.tail)) !== PG.private) continue;
    const head = folioBuffers(mem, buffers, folio);
    if (head === null) continue;
    rings++;
    let at = 0;
    for (const bh of head.ring()) {
      if (bh.folio !== folio) return `folio ${pfn}: a buffer of its ring names folio ${bh.folio}`;
      if (bh.offsetBytes !== at)
        return `folio ${pfn}: a buffer at byte ${bh.offsetBytes}, not ${at}`;
      at += bh.sizeBytes;
      const isDirty = (bh.state & BH.dirty) !== 0;
      // Of an orphan nothing will be written, and nobody looks at its flags.
      if (isDirty && mem.mapping[pfn] !== 0 && (mem.flags[pfn] & PG.dirty) === 0) {
        return `folio ${pfn}: a dirty buffer and a clean folio`;
      }
    }
    if (at !== folioNrPages(mem, folio) * 4096) return `folio ${pfn}: buffers of ${at} bytes`;
  }
  return rings === buffers.ringCount ? null : `${buffers.ringCount} rings, ${rings} of a folio`;
}
