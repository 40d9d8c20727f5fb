/**
 * The JSON files of an archive: snapshot.json (one side) and run.pair.json (the run).
 *
 * Both come from outside, so each field is checked before use and a missing one is null.
 */
import { InputError } from "../../base/input-error.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { quoted } from "./lines.ts";

/** What snapshot.json says of one side. */
export interface SnapshotJson {
  /** As `uname` prints it, such as "Linux 6.18.44 x86_64". */
  readonly kernel: string | null;
  /** Frames in each kpage* file. */
  readonly pfns: number | null;
  readonly scanSeconds: number | null;
}

/** A stretch of a process's addresses whose frames the archive tells. */
export interface RegionJson {
  readonly name: string;
  /** First virtual page number. */
  readonly baseVpn: number;
  readonly pages: number;
  /** File name in the archive without `.SIDE.u64`. */
  readonly file: string;
}

/** Throws `InputError` if it is not JSON, or of a machine with another page size. */
export function parseSnapshotJson(place: string, text: string): SnapshotJson {
  const fields = parseObject(place, text);
  const pageSize = fields.pageSize;
  if (pageSize !== undefined && pageSize !== PAGE_SIZE) {
    throw new InputError(place, `pageSize ${quoted(String(pageSize))}`, `${PAGE_SIZE}`);
  }
  return {
    kernel: typeof fields.kernel === "string" ? fields.kernel : null,
    pfns: countOrNull(fields.pfns),
    scanSeconds: typeof fields.scanSeconds === "number" ? fields.scanSeconds : null,
  };
}

/** The regions of run.pair.json, of which there may be none. Throws `InputError`. */
export function parseRunJson(place: string, text: string): RegionJson[] {
  const regions = parseObject(place, text).regions ?? [];
  if (!Array.isArray(regions)) throw new InputError(place, "regions of no list", "a list");
  return regions.map((region: unknown, index) => {
    const { name, baseVpn, pages, file } = (region ?? {}) as RawRegion;
    const base = countOrNull(baseVpn);
    const count = countOrNull(pages);
    if (typeof name !== "string" || typeof file !== "string" || base === null || count === null) {
      throw new InputError(place, `region ${index} without them`, "name, baseVpn, pages, file");
    }
    return { name, baseVpn: base, pages: count, file };
  });
}

/** The fields that are used, of either file, unchecked. */
interface RawFields {
  readonly kernel?: unknown;
  readonly pageSize?: unknown;
  readonly pfns?: unknown;
  readonly scanSeconds?: unknown;
  readonly regions?: unknown;
}

interface RawRegion {
  readonly name?: unknown;
  readonly baseVpn?: unknown;
  readonly pages?: unknown;
  readonly file?: unknown;
}

function parseObject(place: string, text: string): RawFields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(place, quoted(text), "JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(place, quoted(text), "a JSON object");
  }
  return value;
}

function countOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
