/**
 * What differs between releases of Linux, as named fields; everything else is the same engine.
 *
 * 6.1 is what the recorded kernel ran. 6.18 is as far as what is built here differs: compaction.
 * Pairs of snapshots of a 6.18 machine bear it out (`godwit accuracy`): where the kernel gave a
 * zone up, it was at a large dirty folio, which cannot be split.
 */
export interface KernelProfile {
  readonly release: string;
  /**
   * Compaction moves folios of more than one page, to free blocks of their size; a folio for which
   * there is none ends the zone. Linux: from 6.9 on.
   */
  readonly compactsLargeFolios: boolean;
}

export type Release = "6.1" | "6.18";

export const PROFILES: Readonly<Record<Release, KernelProfile>> = {
  "6.1": { release: "6.1", compactsLargeFolios: false },
  "6.18": { release: "6.18", compactsLargeFolios: true },
};

/**
 * The profile nearest to a kernel: the newest that is not newer, 6.1 for older and unknown ones.
 *
 * `kernel` is what `uname` prints, such as "Linux 6.18.44 x86_64".
 */
export function releaseFor(kernel: string | null): Release {
  const version = /(\d+)\.(\d+)/.exec(kernel ?? "");
  const number = version === null ? 0 : Number(version[1]) * 1000 + Number(version[2]);
  return number >= 6018 ? "6.18" : "6.1";
}
