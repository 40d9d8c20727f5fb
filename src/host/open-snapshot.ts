/**
 * Opens a snapshot wherever it is: a directory, an archive, or a folder inside an archive.
 *
 * A path may go on inside an archive (`pair.tar.gz/NAME/after`). A directory or folder that is
 * itself called `before` or `after` is that side, and the files beside it (pins, the other side)
 * are read too.
 */
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { InputError } from "../base/input-error.ts";
import { readSnapshotPair, type SnapshotEntry } from "../snapshot/read-snapshot.ts";
import type { Side, SnapshotPair } from "../snapshot/snapshot.ts";
import { archiveEntries, archiveFormatOf } from "./archive.ts";
import { directoryEntries } from "./directory.ts";
import { inputErrorOf } from "./input-errors.ts";

export interface OpenOptions {
  /** Which side of a pair; "before" if neither this nor the path says. */
  readonly side?: Side;
}

/** Throws `InputError`, with the file's name, if `path` holds no snapshot that can be read. */
export async function openSnapshot(path: string, options: OpenOptions = {}): Promise<SnapshotPair> {
  const { outer, inner } = await splitPath(path);
  const named = sideNamed(inner === "" ? outer : inner);
  if (named && options.side && named !== options.side) {
    throw new InputError(path, `the side "${named}"`, `"${options.side}", as asked for`);
  }
  const side = options.side ?? named;
  const entries = await entriesOf(outer, inner, named);
  const name = nameOf(outer, inner, named);
  try {
    return await readSnapshotPair(entries, { name, place: path, ...(side && { side }) });
  } catch (error) {
    throw inputErrorOf(error, path);
  }
}

/** The folder or file that holds the pair, without its kind. */
function nameOf(outer: string, inner: string, named: Side | null): string {
  const folder = named && inner !== "" ? parentOf(inner) : inner;
  if (folder !== "") return basename(folder);
  const path = resolve(outer);
  const holder = named && inner === "" ? dirname(path) : path;
  return basename(holder).replace(/\.(tar\.gz|tgz|tar)$/, "");
}

async function entriesOf(
  outer: string,
  inner: string,
  named: Side | null,
): Promise<AsyncIterable<SnapshotEntry>> {
  const info = await statOf(outer);
  if (info.isDirectory()) return directoryEntries(named ? dirname(resolve(outer)) : outer);
  if (!info.isFile()) {
    throw new InputError(outer, "no regular file (a FIFO or a device?)", "a file or a directory");
  }
  const format = await archiveFormatOf(outer).catch((error: unknown) => {
    throw inputErrorOf(error, outer);
  });
  if (format) return archiveEntries(outer, format, named ? parentOf(inner) : inner);
  throw new InputError(outer, "a file that is no archive", "a directory or a .tar.gz");
}

/** Splits a path that goes on inside an archive where the archive ends. */
async function splitPath(path: string): Promise<{ outer: string; inner: string }> {
  let outer = path;
  let inner = "";
  for (;;) {
    const info = await stat(outer).catch((error: unknown) => error as NodeJS.ErrnoException);
    if (!(info instanceof Error)) return { outer, inner };
    // ENOTDIR: a part of the path is a file, perhaps an archive.
    if (info.code !== "ENOTDIR") throw inputErrorOf(info, path);
    inner = inner === "" ? basename(outer) : `${basename(outer)}/${inner}`;
    outer = dirname(outer);
  }
}

async function statOf(path: string): Promise<Awaited<ReturnType<typeof stat>>> {
  return stat(path).catch((error: unknown) => {
    throw inputErrorOf(error, path);
  });
}

function sideNamed(path: string): Side | null {
  const last = basename(resolve(path));
  return last === "before" || last === "after" ? last : null;
}

function parentOf(folder: string): string {
  const parent = dirname(folder);
  return parent === "." ? "" : parent;
}
