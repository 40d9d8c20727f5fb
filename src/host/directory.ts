/**
 * An unpacked snapshot, or /proc itself, as a stream of snapshot files.
 *
 * Opens only files that a snapshot has. A FIFO or a device in the place of one is refused, since
 * reading it could wait for ever.
 */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../base/input-error.ts";
import { locateFile } from "../snapshot/file-names.ts";
import type { SnapshotEntry } from "../snapshot/read-snapshot.ts";
import { inputErrorOf } from "./input-errors.ts";

const CHUNK_BYTES = 1024 * 1024;
/** NAME/before/kpageflags.u64 is the deepest that a snapshot's file lies. */
const MAX_DEPTH = 2;

/** The snapshot files in `directory` and two levels below it, in order of name. */
export async function* directoryEntries(directory: string): AsyncGenerator<SnapshotEntry> {
  yield* entriesBelow(directory, "", 0);
}

async function* entriesBelow(
  root: string,
  folder: string,
  depth: number,
): AsyncGenerator<SnapshotEntry> {
  const here = join(root, folder);
  const names = await readdir(here).catch((error: unknown) => {
    throw inputErrorOf(error, here);
  });
  // Below a snapshot there is none (but, in /proc, a great deal else).
  const mayDescend = depth < MAX_DEPTH && !names.some(isPageFlags);
  for (const name of names.sort()) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const place = join(root, path);
    if (locateFile(path)) yield await fileEntry(path, place);
    else if (mayDescend && (await isDirectory(place))) yield* entriesBelow(root, path, depth + 1);
  }
}

function isPageFlags(name: string): boolean {
  return locateFile(name)?.name === "kpageflags";
}

async function fileEntry(path: string, place: string): Promise<SnapshotEntry> {
  const info = await stat(place).catch((error: unknown) => {
    throw inputErrorOf(error, place);
  });
  if (!info.isFile()) throw new InputError(place, "no regular file", "a file");
  // The files of /proc say 0 and are not empty.
  return { path, place, size: info.size || null, chunks: fileChunks(place) };
}

async function* fileChunks(place: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(place, { highWaterMark: CHUNK_BYTES });
  } catch (error) {
    throw inputErrorOf(error, place);
  }
}

async function isDirectory(place: string): Promise<boolean> {
  const info = await stat(place).catch(() => null);
  return info?.isDirectory() ?? false;
}
