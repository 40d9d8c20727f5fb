/**
 * A tar archive, compressed with gzip or not, as a stream of snapshot files.
 *
 * Nothing is unpacked to disk or held: each file's bytes pass through once, in the order of the
 * archive. What kind of archive it is, its first bytes tell, not its name.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { InputError } from "../base/input-error.ts";
import type { SnapshotEntry } from "../snapshot/read-snapshot.ts";
import { inputErrorOf } from "./input-errors.ts";

/** Bytes that zlib hands on at a time: fewer crossings between it and us. */
const CHUNK_BYTES = 1024 * 1024;
/** Where a tar header says that it is one. */
const MAGIC_OFFSET = 257;
const HEADER_BYTES = 512;

export type ArchiveFormat = "tar.gz" | "tar";

/** By content; null if it is no archive at all. Throws `InputError` for an empty file. */
export async function archiveFormatOf(path: string): Promise<ArchiveFormat | null> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(head, 0, HEADER_BYTES, 0);
    if (bytesRead === 0) throw new InputError(path, "an empty file", "a snapshot");
    if (head[0] === 0x1f && head[1] === 0x8b) return "tar.gz";
    return head.toString("latin1", MAGIC_OFFSET, MAGIC_OFFSET + 5) === "ustar" ? "tar" : null;
  } finally {
    await file.close();
  }
}

/** The files below `folder` ("" for all). Throws `InputError` where the archive is damaged. */
export async function* archiveEntries(
  path: string,
  format: ArchiveFormat,
  folder: string,
): AsyncGenerator<SnapshotEntry> {
  const tar = extract();
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  // The error reaches the reader through `tar`, which pipeline destroys with it.
  const whenDone = (): void => {};
  if (format === "tar") pipeline(source, tar, whenDone);
  else pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), tar, whenDone);
  try {
    for await (const entry of tar) {
      const { name, type, size } = entry.header;
      if ((type === "file" || type === "contiguous-file") && isBelow(name, folder)) {
        yield { path: name, place: `${path}:${name}`, size: size ?? null, chunks: chunksOf(entry) };
      }
      entry.resume();
    }
  } catch (error) {
    throw inputErrorOf(error, path);
  }
}

/** A tar stream hands on bytes, whatever its types say. */
async function* chunksOf(entry: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry) yield chunk as Uint8Array;
}

function isBelow(name: string, folder: string): boolean {
  return folder === "" || name.replace(/^\.\//, "").startsWith(`${folder}/`);
}
