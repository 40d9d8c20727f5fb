/**
 * A build of the races with one mistake in it, made for one run and loaded into this process.
 *
 * The engine has no switches for mistakes: a mutant is a text that occurs once in one file, and its
 * replacement. Types are not checked, so a mutant may leave a name unused.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { root } from "../../tools/build/sources.ts";
import type { Mutant } from "../races/race.ts";

/** The module that is built: what of it a test may use. */
type Races = typeof import("../races/all.ts");

/** The races on an engine with the mistake. Throws where the text does not occur exactly once. */
export async function loadMutant(mutant: Mutant): Promise<Races> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["test/races/all.ts"],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "silent",
    plugins: [withMistake(mutant)],
  });
  const folder = await mkdtemp(path.join(tmpdir(), "godwit-mutant-"));
  try {
    const module = path.join(folder, "races.mjs");
    await writeFile(module, outputFiles[0].contents);
    return await import(pathToFileURL(module).href);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function withMistake({ file, text, replacement }: Mutant): Plugin {
  const place = path.join(root, file);
  return {
    name: "mutant",
    setup({ onLoad, onEnd }) {
      let isUsed = false;
      onLoad({ filter: /\.ts$/ }, async (module) => {
        if (module.path !== place) return undefined;
        isUsed = true;
        const source = await readFile(place, "utf8");
        return { contents: replaceOnce(source, text, replacement, file), loader: "ts" };
      });
      onEnd(() => {
        if (!isUsed) throw new Error(`${file}: no race uses it`);
      });
    },
  };
}

/** `source` with its one occurrence of `text` replaced; an error names `file`. */
export function replaceOnce(
  source: string,
  text: string,
  replacement: string,
  file: string,
): string {
  const parts = source.split(text);
  if (parts.length !== 2) {
    throw new Error(`${file}: found ${parts.length - 1} times, expected once: ${text}`);
  }
  return parts.join(replacement);
}
