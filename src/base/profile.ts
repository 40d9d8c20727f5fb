/**
 * What differs between releases of Linux, as named fields; everything else is the same engine.
 *
 * 2.6.15 is begun: the direct migration of 2005 was a patch series for it. What is known of it is
 * here and in `migrate/unmap-to-swap.ts`; all else is as in 6.1: the ten passes, and the write-out
 * for owners without a callback, which were so then too, and the modes, which were not there yet.
 *
 * 6.1 is what the recorded kernel ran. 6.3 is the first that moves folios in batches. 6.18 is as
 * far as what is built here differs: batches, compaction, what is waited for and written out; the
 * bytes are still copied after the swap of the mapping (before it, from 6.12 on). Pairs of
 * snapshots of a 6.18 machine bear it out (`godwit accuracy`): where the kernel gave a zone up, it
 * was at a large dirty folio, which cannot be split.
 */
export interface KernelProfile {
  readonly release: string;
  /**
   * There is compaction, and with it drivers whose pages can move. Linux: compaction came in 2010,
   * drivers' pages in 2016.
   */
  readonly compacts: boolean;
  /**
   * Anonymous folios need a slot in swap to be moved, and processes fault them back afterwards:
   * there are no migration entries. Linux: in the series of 2005.
   */
  readonly migratesBySwap: boolean;
  /**
   * Compaction moves folios of more than one page, to free blocks of their size; a folio for which
   * there is none ends the zone. Linux: from 6.9 on.
   */
  readonly compactsLargeFolios: boolean;
  /**
   * A call unmaps many folios before it moves the first; a synchronous one does so with the rules
   * of an asynchronous one, and then takes what is left one by one. Linux: from 6.3 on.
   */
  readonly batchesMigration: boolean;
  /**
   * A sync-light call waits for a locked folio or buffer whose bytes are still being read, as for
   * any other. Linux: in 6.3 still.
   */
  readonly syncLightWaitsForReads: boolean;
  /**
   * A dirty folio of an owner without `migrateFolio` is written out to be moved by the next try.
   * Linux: until 6.15; since then it stays.
   */
  readonly writesOutToMigrate: boolean;
  /** The trace of a call's end tells how many large folios were split. Linux: from 6.7 on. */
  readonly tracesSplits: boolean;
}

export type Release = "2.6.15" | "6.1" | "6.3" | "6.18";

/** 6.1, which the others are told by. */
const COMMON: Omit<KernelProfile, "release"> = {
  compacts: true,
  migratesBySwap: false,
  compactsLargeFolios: false,
  batchesMigration: false,
  syncLightWaitsForReads: true,
  writesOutToMigrate: true,
  tracesSplits: false,
};

export const PROFILES: Readonly<Record<Release, KernelProfile>> = {
  "2.6.15": { ...COMMON, release: "2.6.15", compacts: false, migratesBySwap: true },
  "6.1": { ...COMMON, release: "6.1" },
  "6.3": { ...COMMON, release: "6.3", batchesMigration: true },
  "6.18": {
    release: "6.18",
    compacts: true,
    migratesBySwap: false,
    compactsLargeFolios: true,
    batchesMigration: true,
    syncLightWaitsForReads: false,
    writesOutToMigrate: false,
    tracesSplits: true,
  },
};

/**
 * The profile nearest to a kernel with compaction: the newest that is not newer, 6.1 for older and
 * unknown ones.
 *
 * `kernel` is what `uname` prints, such as "Linux 6.18.44 x86_64".
 */
export function releaseFor(kernel: string | null): Release {
  const version = /(\d+)\.(\d+)/.exec(kernel ?? "");
  const number = version === null ? 0 : Number(version[1]) * 1000 + Number(version[2]);
  if (number >= 6018) return "6.18";
  return number >= 6003 ? "6.3" : "6.1";
}
