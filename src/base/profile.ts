/**
 * What differs between releases of Linux, as named fields; everything else is the same engine.
 *
 * 6.1 is what the recorded kernel ran. 6.3 is the first that moves folios in batches. 6.18 is as
 * far as what is built here differs: batches, and compaction. Pairs of snapshots of a 6.18 machine
 * bear it out (`godwit accuracy`): where the kernel gave a zone up, it was at a large dirty folio,
 * which cannot be split.
 */
export interface KernelProfile {
  readonly release: string;
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
}

export type Release = "6.1" | "6.3" | "6.18";

export const PROFILES: Readonly<Record<Release, KernelProfile>> = {
  "6.1": { release: "6.1", compactsLargeFolios: false, batchesMigration: false },
  "6.3": { release: "6.3", compactsLargeFolios: false, batchesMigration: true },
  "6.18": { release: "6.18", compactsLargeFolios: true, batchesMigration: true },
};

/**
 * The profile nearest to a kernel: the newest that is not newer, 6.1 for older and unknown ones.
 *
 * `kernel` is what `uname` prints, such as "Linux 6.18.44 x86_64".
 */
export function releaseFor(kernel: string | null): Release {
  const version = /(\d+)\.(\d+)/.exec(kernel ?? "");
  const number = version === null ? 0 : Number(version[1]) * 1000 + Number(version[2]);
  if (number >= 6018) return "6.18";
  return number >= 6003 ? "6.3" : "6.1";
}
