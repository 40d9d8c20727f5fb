/**
 * The files of a recorded kernel run: record.json, trace.txt.gz, snapshots.tar.gz.
 *
 * The archive is read once. Its snapshot of before goes through the snapshot reader; the columns
 * that only a record has are small and are kept whole, by their path.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { InputError } from "../base/input-error.ts";
import { readSnapshotPair, type SnapshotEntry } from "../snapshot/read-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { archiveEntries } from "./archive.ts";
import { inputErrorOf } from "./input-errors.ts";

export interface RecordFolder {
  readonly json: unknown;
  /** Null if the record has no trace. */
  readonly trace: string | null;
  readonly snapshot: Snapshot;
  /** By path in the archive. */
  readonly columns: ReadonlyMap<string, Uint8Array>;
}

const RECORD_COLUMN = /(before|after)\/(buddy_order|refcount_i16|pageblock_flags|owner_pagemap)$/;

/** Throws `InputError` where a file is missing or damaged. */
export async function readRecordFolder(folder: string): Promise<RecordFolder> {
  const columns = new Map<string, Uint8Array>();
  const archive = join(folder, "snapshots.tar.gz");
  const entries = setAside(archiveEntries(archive, "tar.gz", ""), columns);
  try {
    const { snapshot } = await readSnapshotPair(entries, { name: folder, side: "before" });
    return { json: await readJson(folder), trace: await readTrace(folder), snapshot, columns };
  } catch (error) {
    throw inputErrorOf(error, archive);
  }
}

/** record.json alone. */
async function readJson(folder: string): Promise<unknown> {
  const path = join(folder, "record.json");
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(path, error.message, "JSON");
    throw inputErrorOf(error, path);
  }
}

async function readTrace(folder: string): Promise<string | null> {
  const path = join(folder, "trace.txt.gz");
  try {
    return gunzipSync(await readFile(path)).toString("latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw inputErrorOf(error, path);
  }
}

/** Passes the snapshot's files on and keeps the record's own. */
async function* setAside(
  entries: AsyncIterable<SnapshotEntry>,
  columns: Map<string, Uint8Array>,
): AsyncGenerator<SnapshotEntry> {
  for await (const entry of entries) {
    const match = RECORD_COLUMN.exec(entry.path);
    if (match === null) yield entry;
    else columns.set(match[0], await collect(entry.chunks));
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
