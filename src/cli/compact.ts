/**
 * `godwit compact` and `godwit start`: a snapshot's machine, compacted with real contents.
 *
 * Both do the same work, and end by taking the machine down, which proves that nothing leaked.
 * `start` takes the bundled snapshot and writes the report unless told otherwise. Status 1 for a
 * wrong byte or a broken invariant, and for nothing else.
 */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { InvariantError } from "../base/assert.ts";
import { inputErrorOf } from "../host/input-errors.ts";
import { openSnapshot } from "../host/open-snapshot.ts";
import { packageFile, packageVersion } from "../host/package-root.ts";
import { teardown } from "../machine/teardown.ts";
import { compactHtml } from "../report/compact-html.ts";
import { compactText } from "../report/compact-text.ts";
import {
  type CompactRun,
  type CompactStep,
  compactSnapshot,
} from "../snapshot/compact-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Command } from "./command.ts";
import { COMPACT_FLAGS, compactOptions } from "./compact-options.ts";
import type { Io } from "./io.ts";
import type { Options } from "./options.ts";
import { Progress } from "./progress.ts";

/** The snapshot that the package ships. */
const BUNDLED = "snapshots/slab-s2.tar.gz";
const REPORT = "godwit-report.html";
const SCREEN_WIDTH = 100;

const STEP_TEXT: Readonly<Record<CompactStep, string>> = {
  build: "building the machine and its owners",
  fill: "filling every movable page",
  compact: "compacting",
  verify: "verifying every page",
  explain: "explaining what stayed",
};

const DETAILS =
  "SNAPSHOT is a directory, a .tar.gz or a folder in one, as for godwit look. Pages that can move\n" +
  "are filled, the memory is compacted as by `echo 1 > /proc/sys/vm/compact_memory`, and every page\n" +
  "is then compared with what its owner expects. Ends with 1 if a byte is wrong or an invariant\n" +
  "broken, with 2 if the input cannot be used.\n" +
  "With --order N each zone is compacted as by a process that waits for such a block: blocks with a\n" +
  "skip bit are passed by, free lists searched first, and it ends at the first block that is free.\n" +
  "With --mode sync, in which no process compacts, each zone is searched whole until then.";

export const compact: Command = {
  usage: {
    command: "compact",
    summary: "Compacts a snapshot's memory and proves that nothing was lost",
    positionals: "[SNAPSHOT]",
    maxPositionals: 1,
    flags: {
      ...COMPACT_FLAGS,
      html: { type: "string", value: "FILE", help: "write the report as one HTML page" },
    },
    details: DETAILS,
  },
  run: (options, io) => runCompact(options, io, options.text("html")),
};

export const start: Command = {
  usage: {
    command: "start",
    summary: "Compacts the bundled snapshot of a real machine and writes a report",
    positionals: "[SNAPSHOT]",
    maxPositionals: 1,
    flags: {
      ...COMPACT_FLAGS,
      html: { type: "string", value: "FILE", help: `where the report goes (default: ${REPORT})` },
    },
    details: DETAILS,
  },
  run: (options, io) => runCompact(options, io, options.text("html") ?? REPORT),
};

async function runCompact(options: Options, io: Io, html: string | null): Promise<number> {
  const progress = new Progress(io);
  const path = options.positionals[0] ?? packageFile(BUNDLED);
  progress.show(`reading ${path}`);
  try {
    const { snapshot, run } = await readAndCompact(path, options, progress);
    progress.clear();
    if (html !== null) await writeReport(html, run, snapshot);
    if (options.has("json")) {
      io.out.write(`${JSON.stringify(run.report)}\n`);
    } else {
      const width = io.out.isTerminal ? Math.min(io.out.columns, SCREEN_WIDTH) : SCREEN_WIDTH;
      io.out.write(compactText(run, snapshot, { colour: io.out.colour, width }));
      if (html !== null) io.out.write(`\nThe report: ${resolve(html)}\n`);
    }
    teardown(run.machine);
    return run.report.verified.mismatched === 0 ? 0 : 1;
  } catch (error) {
    progress.clear();
    if (!(error instanceof InvariantError)) throw error;
    io.err.write(`a broken invariant, which is a bug of godwit: ${error.message}\n`);
    return 1;
  }
}

async function readAndCompact(
  path: string,
  options: Options,
  progress: Progress,
): Promise<{ snapshot: Snapshot; run: CompactRun }> {
  const side = options.text("side");
  const { snapshot, other } = await openSnapshot(
    path,
    side === "before" || side === "after" ? { side } : {},
  );
  const wanted = await compactOptions(options, snapshot);
  const onStep = (step: CompactStep): void => progress.show(STEP_TEXT[step]);
  return { snapshot, run: compactSnapshot(snapshot, other, { ...wanted, onStep }) };
}

async function writeReport(file: string, run: CompactRun, snapshot: Snapshot): Promise<void> {
  const command = `godwit ${process.argv.slice(2).join(" ")}`;
  const page = compactHtml(run, snapshot, { version: packageVersion(), command });
  await writeFile(file, page).catch((error: unknown) => {
    throw inputErrorOf(error, file);
  });
}
