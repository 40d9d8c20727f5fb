/**
 * What a machine's kernel was built with.
 *
 * A kernel without migration has no `migrateFolio` in its address spaces, moves nothing, and does
 * not know move_pages(2); one without compaction never makes room by moving, has no kcompactd, and
 * no driver's page is movable. Linux: CONFIG_MIGRATION, CONFIG_COMPACTION, which selects it.
 *
 * Not as in Linux: transparent huge pages, which select compaction there, work without it here.
 * Their split goes by migration entries on every machine, so that these exist without migration
 * too, from the split's unmapping to its end and for nothing else.
 */
import { InputError } from "./input-error.ts";

export interface Features {
  readonly migration: boolean;
  /** Needs migration. */
  readonly compaction: boolean;
}

export const ALL_FEATURES: Features = { migration: true, compaction: true };

/** Throws an `InputError` for a combination that no kernel can be built with. */
export function checkFeatures({ migration, compaction }: Features): void {
  if (migration || !compaction) return;
  throw new InputError("features", "compaction without migration", "migration too, or neither");
}
