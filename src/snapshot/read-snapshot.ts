/**
 * Reads a pair of snapshots, or one side alone, from a stream of files in any order.
 *
 * Each file is read once and none is held: pages go into columns, text files are small. The side
 * that is asked for is kept whole, of the other only what its free blocks need. A file's folder
 * says which side it is of; files under neither `before` nor `after` are a snapshot by themselves.
 */
import { InputError } from "../base/input-error.ts";
import { buildSnapshot, buildSummary, type SideFiles } from "./build-snapshot.ts";
import {
  readCgroupColumn,
  readFlagColumns,
  readKindColumn,
  readMapcountColumn,
  readPfns,
  type SnapshotFile,
} from "./columns.ts";
import { locateFile } from "./file-names.ts";
import type { Side, SnapshotPair } from "./snapshot.ts";

/** A file of the input. `path` tells its name and side; it is consumed before the next is asked. */
export interface SnapshotEntry extends SnapshotFile {
  readonly path: string;
}

export interface ReadOptions {
  /** What the snapshot is called. */
  readonly name: string;
  /** What messages call the input as a whole, if not by that name. */
  readonly place?: string;
  /** Which side is wanted, "before" if not said. */
  readonly side?: Side;
}

/** A text file of a snapshot is a few KiB, of a large machine's zoneinfo a few hundred. */
const MAX_TEXT_BYTES = 32 * 1024 * 1024;

/** Throws `InputError` if the files are no snapshot, or lack the side that is asked for. */
export async function readSnapshotPair(
  entries: AsyncIterable<SnapshotEntry>,
  options: ReadOptions,
): Promise<SnapshotPair> {
  const wanted = options.side ?? "before";
  const sides = new Sides(options, wanted);
  for await (const entry of entries) {
    const located = locateFile(entry.path);
    if (located) await sides.read(entry, located.folder, located.side, located.name);
  }
  return sides.finish(options.side !== undefined);
}

/** The folders seen so far, each with what was read from it. */
class Sides {
  private readonly folders = new Map<string, SideFiles>();
  private readonly name: string;
  private readonly place: string;
  private readonly wanted: Side;
  private readonly run: SideFiles;

  constructor({ name, place }: ReadOptions, wanted: Side) {
    this.name = name;
    this.place = place ?? name;
    this.wanted = wanted;
    this.run = emptyFiles("", null);
  }

  async read(entry: SnapshotEntry, folder: string, side: Side | null, name: string): Promise<void> {
    if (name === "pins.pfn") this.run.pins = await readPfns(entry);
    else if (name === "run.pair.json") this.run.texts.set(name, await readText(entry));
    else if (name.startsWith("pagemap.")) await this.readPagemap(entry, name);
    else await this.readSideFile(entry, this.filesOf(folder, side), name);
  }

  private async readPagemap(entry: SnapshotEntry, name: string): Promise<void> {
    const suffix = `.${this.wanted}`;
    if (!name.endsWith(suffix)) return;
    this.run.pagemaps.set(name.slice(0, -suffix.length), await readPfns(entry));
  }

  private async readSideFile(entry: SnapshotEntry, files: SideFiles, name: string): Promise<void> {
    const isWanted = files.side === null || files.side === this.wanted;
    if (name === "kpageflags") {
      files.place = entry.place;
      if (isWanted) this.refuseSecond(files.folder);
      if (isWanted) files.columns = await readFlagColumns(entry);
      else files.kind = await readKindColumn(entry);
    } else if (name === "kpagecount") {
      if (isWanted)
        files.mapcount = { place: entry.place, column: await readMapcountColumn(entry) };
    } else if (name === "kpagecgroup") {
      if (isWanted) files.cgroup = { place: entry.place, ...(await readCgroupColumn(entry)) };
    } else {
      files.texts.set(name, await readText(entry));
    }
  }

  finish(sideWasAsked: boolean): SnapshotPair {
    const whole = [...this.folders.values()].filter(({ columns, kind }) => columns ?? kind);
    const chosen = whole.filter(({ columns }) => columns !== null);
    const [files] = chosen;
    if (!files) throw this.missing(whole.map(({ side }) => side));
    if (files.side === null && sideWasAsked && this.wanted === "after") {
      throw new InputError(this.place, "one snapshot without sides", "an after/ folder");
    }
    files.pins = this.run.pins;
    files.pagemaps = this.run.pagemaps;
    const run = this.run.texts.get("run.pair.json");
    if (run) files.texts.set("run.pair.json", run);
    const snapshot = buildSnapshot(files, this.name, this.wanted);
    const other = whole.find(({ kind }) => kind !== null);
    return { snapshot, other: other ? buildSummary(other) : null };
  }

  /** Two snapshots of the side that is wanted: which one, only the caller knows. */
  private refuseSecond(folder: string): void {
    const first = [...this.folders.values()].find(({ columns }) => columns !== null);
    if (!first) return;
    const found = `several snapshots, ${first.folder} and ${folder} among them`;
    throw new InputError(this.place, found, "one: name its folder");
  }

  private missing(sides: readonly (Side | null)[]): InputError {
    if (sides.length > 0) {
      return new InputError(this.place, `only ${sides.join(", ")}/`, `${this.wanted}/ as well`);
    }
    const names = [...this.folders.values()].flatMap(({ texts }) => [...texts.keys()]);
    const found = names.length > 0 ? `${names.join(", ")} but no kpageflags` : "no kpageflags";
    return new InputError(this.place, found, "a snapshot (kpageflags and zoneinfo at least)");
  }

  private filesOf(folder: string, side: Side | null): SideFiles {
    let files = this.folders.get(folder);
    if (!files) {
      files = emptyFiles(folder, side);
      this.folders.set(folder, files);
    }
    return files;
  }
}

function emptyFiles(folder: string, side: Side | null): SideFiles {
  return {
    folder,
    side,
    place: folder,
    columns: null,
    kind: null,
    mapcount: null,
    cgroup: null,
    texts: new Map(),
    pagemaps: new Map(),
    pins: null,
  };
}

async function readText(file: SnapshotFile): Promise<{ place: string; text: string }> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of file.chunks) {
    bytes += chunk.length;
    if (bytes > MAX_TEXT_BYTES) {
      throw new InputError(file.place, `more than ${MAX_TEXT_BYTES} bytes`, "a short text file");
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return { place: file.place, text };
}
