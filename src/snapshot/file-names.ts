/**
 * Which file of a snapshot a path names, and which side of a pair it belongs to.
 *
 * Names are those of /proc, alone or with `.u64` (raw words) or `.txt` behind them.
 */
import type { Side } from "./snapshot.ts";

/** Files of one side; `.end` is from after the scan. */
const SIDE_FILES: ReadonlySet<string> = new Set([
  "kpageflags",
  "kpagecount",
  "kpagecgroup",
  "zoneinfo",
  "buddyinfo",
  "buddyinfo.end",
  "pagetypeinfo",
  "iomem",
  "meminfo",
  "vmstat",
  "version",
  "snapshot.json",
]);

/** Files of the run that made a pair, beside its two sides. */
const RUN_FILES: ReadonlySet<string> = new Set(["run.pair.json", "pins.pfn"]);

export interface LocatedFile {
  /** Folder of the file, "" at the top. */
  readonly folder: string;
  readonly side: Side | null;
  /** Without `.u64` or `.txt`. */
  readonly name: string;
}

/** Null for a file that is none of a snapshot's. */
export function locateFile(path: string): LocatedFile | null {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const name = (parts.pop() ?? "").replace(/\.(u64|txt)$/, "");
  const last = parts.at(-1);
  const side = last === "before" || last === "after" ? last : null;
  const isKnown = SIDE_FILES.has(name) || RUN_FILES.has(name) || /^pagemap\..+\./.test(name);
  return isKnown ? { folder: parts.join("/"), side, name } : null;
}
