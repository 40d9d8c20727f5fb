/**
 * `godwit records`: runs what a real kernel was recorded doing and compares.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../base/input-error.ts";
import { inputErrorOf } from "../host/input-errors.ts";
import { packageFile } from "../host/package-root.ts";
import { readRecordFolder } from "../host/record-files.ts";
import { readCallRecord } from "../replay/call-record.ts";
import { readCompactionRecord } from "../replay/compaction-record.ts";
import { formatTrace } from "../replay/kernel-trace.ts";
import {
  type CompactionReplay,
  cannotReplay,
  replayCompaction,
  whyNot,
} from "../replay/replay-compaction.ts";
import { MovePagesReplay } from "../replay/replay-move-pages.ts";
import { type RecordResult, summarize } from "../replay/result.ts";
import { recordsText } from "../report/records-text.ts";
import type { Command } from "./command.ts";
import { Progress } from "./progress.ts";

const BUNDLED = "records";
/** Areas that can be replayed. */
const COMPACTION = "compaction";
const MOVE_PAGES = "move_pages";
/** Folders of a records directory that hold no records. */
const NO_AREA: ReadonlySet<string> = new Set(["machines", "trace_formats"]);
/** Lists beside the records of an area. */
const NO_RECORDS: ReadonlySet<string> = new Set(["index.json", "summary.json"]);

export const records: Command = {
  usage: {
    command: "records",
    summary: "Replays what a real Linux 6.1 kernel was recorded doing, and compares",
    positionals: "[DIR]",
    maxPositionals: 1,
    flags: {
      area: { type: "string", value: "NAME", help: "only this folder of records" },
      only: { type: "string", value: "ID", help: "only this record" },
      kernel: { type: "string", choices: ["6.1"], help: "the release to act as (default: 6.1)" },
      write: {
        type: "string",
        value: "DIR",
        help: "write each run's trace and the owner's pagemap there",
      },
    },
    details:
      "DIR holds a folder an area, as records/ of the package does, which is taken by default. A\n" +
      'record that needs what is not built yet is told as "cannot", with the reason. Ends with 1 if\n' +
      "any record differs.",
  },
  async run(options, io) {
    const dir = options.positionals[0] ?? packageFile(BUNDLED);
    const only = options.text("only");
    const write = options.text("write");
    const progress = new Progress(io);
    const results: RecordResult[] = [];
    for (const area of await areasOf(dir, options.text("area"))) {
      for (const { id, replay } of await recordsOf(dir, area, write)) {
        if (only !== null && only !== id) continue;
        progress.show(`replaying ${area}/${id}`);
        results.push(await replay());
      }
    }
    progress.clear();
    if (results.length === 0) throw new InputError(dir, "no such record", "a folder of records");
    const summary = summarize(results);
    io.out.write(options.has("json") ? `${JSON.stringify(summary)}\n` : recordsText(summary));
    return summary.differ === 0 ? 0 : 1;
  },
};

/** A record, and how it is replayed. */
interface Replayable {
  readonly id: string;
  readonly replay: () => Promise<RecordResult> | RecordResult;
}

/** Replays what is in a record's folder. */
async function replayFolder(
  place: string,
  id: string,
  area: string,
  write: string | null,
): Promise<RecordResult> {
  if (area !== COMPACTION) return noReplay(id, area);
  const record = readCompactionRecord(place, await readRecordFolder(place));
  const why = whyNot(record);
  if (why !== null) return cannotReplay(record, area, why);
  const replay = replayCompaction(record, area);
  if (write !== null) await writeReplay(join(write, record.id), replay);
  return replay.result;
}

function noReplay(id: string, area: string): RecordResult {
  const why = `no caller or owner yet for the records of ${area}`;
  return { id, area, result: "cannot", expected: null, got: null, why };
}

async function areasOf(dir: string, wanted: string | null): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw inputErrorOf(error, dir);
  });
  const areas = entries.filter((entry) => entry.isDirectory() && !NO_AREA.has(entry.name));
  const names = areas.map(({ name }) => name).sort();
  if (wanted === null) return names;
  if (names.includes(wanted)) return [wanted];
  throw new InputError(`${dir} --area`, `"${wanted}"`, `one of ${names.join(", ")}`);
}

/** Records of an area: folders with a record.json, and the entries of lists. */
async function recordsOf(dir: string, area: string, write: string | null): Promise<Replayable[]> {
  const found: Replayable[] = [];
  const entries = await readdir(join(dir, area), { withFileTypes: true });
  for (const { name, isDirectory } of entries
    .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
    .sort((a, b) => a.name.localeCompare(b.name))) {
    const path = join(dir, area, name);
    if (isDirectory) {
      found.push({ id: name, replay: () => replayFolder(path, name, area, write) });
    } else if (name.endsWith(".json") && !NO_RECORDS.has(name)) {
      found.push(...callsOf(path, area, await listOf(path)));
    }
  }
  return found;
}

/** The entries of a list; calls go on in the worlds of those before them. */
function callsOf(path: string, area: string, list: readonly { id?: unknown }[]): Replayable[] {
  const ids = list.map(({ id }) => String(id));
  if (area !== MOVE_PAGES) return ids.map((id) => ({ id, replay: () => noReplay(id, area) }));
  const records = list.map((entry, at) => readCallRecord(`${path}: ${ids[at]}`, entry));
  const calls = new MovePagesReplay(records, area);
  return ids.map((id, at) => ({ id, replay: () => calls.replay(at) }));
}

async function listOf(path: string): Promise<{ id?: unknown }[]> {
  const text = await readFile(path, "utf8");
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list;
    throw new InputError(path, "no list", "a list of records");
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(path, error.message, "JSON");
    throw error;
  }
}

/** trace.txt as the kernel prints it, and owner_pagemap as /proc/PID/pagemap has it. */
async function writeReplay(folder: string, { trace, owner }: CompactionReplay): Promise<void> {
  const entries = Buffer.alloc(owner.length * 8);
  owner.forEach((pfn, page) => {
    if (pfn !== 0) entries.writeBigUInt64LE((1n << 63n) | BigInt(pfn), page * 8);
  });
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "trace.txt"), formatTrace(trace));
    await writeFile(join(folder, "owner_pagemap"), entries);
  } catch (error) {
    throw inputErrorOf(error, folder);
  }
}
