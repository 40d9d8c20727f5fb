/**
 * `godwit accuracy`: our predictions against what real kernels achieved, pair by pair.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../base/input-error.ts";
import { inputErrorOf } from "../host/input-errors.ts";
import { openSnapshot } from "../host/open-snapshot.ts";
import { packageFile } from "../host/package-root.ts";
import { comparePair, type PairAccuracy } from "../replay/accuracy.ts";
import { accuracyText } from "../report/accuracy-text.ts";
import type { Command } from "./command.ts";
import { KERNEL_FLAG, releaseOf } from "./compact-options.ts";
import { Progress } from "./progress.ts";

const BUNDLED = "snapshots";
const INDEX = "index.json";

export const accuracy: Command = {
  usage: {
    command: "accuracy",
    summary: "Compares our compaction with the kernel's own on pairs of real snapshots",
    positionals: "[DIR]",
    maxPositionals: 1,
    flags: { kernel: KERNEL_FLAG },
    details:
      "DIR holds archives (.tar.gz) or folders with both sides of a pair, and an index.json that\n" +
      "says of each pair whether the kernel's scanners met; without it no pair is judged. By default\n" +
      "the pairs of the package. Ends with 1 if a judged pair is out of its bound.",
  },
  async run(options, io) {
    const dir = options.positionals[0] ?? packageFile(BUNDLED);
    const progress = new Progress(io);
    const scannersMet = await readIndex(dir);
    const pairs: PairAccuracy[] = [];
    for (const file of await pairsOf(dir)) {
      const name = file.replace(/\.(tar\.gz|tgz|tar)$/, "");
      progress.show(`compacting ${name}`);
      const { snapshot, other } = await openSnapshot(join(dir, file), { side: "before" });
      if (other === null) throw new InputError(join(dir, file), "one side", "both sides of a pair");
      pairs.push(
        comparePair({
          name,
          snapshot,
          other,
          scannersMet: scannersMet.get(name) ?? null,
          release: releaseOf(options, snapshot),
        }),
      );
    }
    progress.clear();
    if (pairs.length === 0) throw new InputError(dir, "no archive or folder", "pairs of snapshots");
    io.out.write(options.has("json") ? `${JSON.stringify({ pairs })}\n` : accuracyText(pairs));
    return pairs.some(({ within }) => within === false) ? 1 : 0;
  },
};

async function pairsOf(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw inputErrorOf(error, dir);
  });
  return entries
    .filter((entry) => entry.isDirectory() || /\.(tar\.gz|tgz|tar)$/.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** Whether the kernel finished the zone, by name of pair; empty without an index. */
async function readIndex(dir: string): Promise<Map<string, boolean>> {
  const path = join(dir, INDEX);
  try {
    const { snapshots } = JSON.parse(await readFile(path, "utf8")) as {
      snapshots?: { name: string; scannersMet?: boolean | null }[];
    };
    const known = (snapshots ?? []).filter(({ scannersMet }) => typeof scannersMet === "boolean");
    return new Map(known.map(({ name, scannersMet }) => [name, scannersMet === true]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    if (error instanceof SyntaxError) throw new InputError(path, error.message, "JSON");
    throw inputErrorOf(error, path);
  }
}
