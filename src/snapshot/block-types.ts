/**
 * The migratetype of each pageblock, which no file of /proc tells: inferred from its content.
 */
import { MIGRATE, PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { isKernelKind, isMovableKind, PAGE_KIND } from "./page-kinds.ts";
import type { PagetypeinfoZone } from "./parse/pagetypeinfo.ts";
import { type Finding, NO_BLOCK, type SnapshotZone } from "./snapshot.ts";
import type { ZoneSegment } from "./zones.ts";

export interface BlockTypeInput {
  readonly kind: Uint8Array;
  readonly flags: Int32Array;
  readonly order: Uint8Array;
  readonly zones: readonly SnapshotZone[];
  readonly segments: readonly ZoneSegment[];
  readonly pagetypeinfo: readonly (PagetypeinfoZone | null)[] | null;
}

export function inferBlockTypes(input: BlockTypeInput, _findings: Finding[]): Uint8Array {
  const types = new Uint8Array(Math.ceil(input.kind.length / PAGEBLOCK_NR_PAGES)).fill(NO_BLOCK);
  for (let block = 0; block < types.length; block++) {
    let movable = 0;
    let kernel = 0;
    let memory = 0;
    for (let pfn = block * 512; pfn < Math.min(input.kind.length, (block + 1) * 512); pfn++) {
      const kind = input.kind[pfn];
      if (kind === PAGE_KIND.hole) continue;
      memory++;
      if (isMovableKind(kind)) movable++;
      else if (isKernelKind(kind)) kernel++;
    }
    if (memory > 0) types[block] = kernel > movable ? MIGRATE.unmovable : MIGRATE.movable;
  }
  return types;
}
