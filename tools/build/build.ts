/**
 * Builds what users run: `node --import tsx tools/build/build.ts`.
 *
 * Each entry becomes one bundle in dist/, packages included: in the build for run-to-end, or with
 * its steps where tasks must be suspended. The licences of those packages go with it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import { requireForPackages } from "./bundle.ts";
import { plainForm } from "./plain-plugin.ts";
import { root } from "./sources.ts";

/** Name of the bundle in dist/, without ".js" -> its source. */
const plainEntries: Record<string, string> = {
  cli: "src/cli/main.ts",
  "bench/main": "bench/main.ts",
};
const stepsEntries: Record<string, string> = {
  "soak/main": "soak/main.ts",
  "bench/schedules": "bench/schedules.ts",
  "explore-worker": "src/host/lab/explore-worker.ts",
  // By itself, for it needs the compiler.
  track: "src/host/lab-build/track.ts",
};

const started = performance.now();
await rm(path.join(root, "dist"), { recursive: true, force: true });
await mkdir(path.join(root, "dist"));
const plain = await bundle(plainEntries, [plainForm]);
const steps = await bundle(stepsEntries, []);
if (plain === null || steps === null) {
  console.error(`build failed after ${seconds()} s`);
  process.exitCode = 1;
} else {
  await writeFile(path.join(root, "dist/licenses.txt"), licensesOf(plain));
  console.error(`built ${describe(plain)}, ${describe(steps)} in ${seconds()} s`);
}

/** Null if a source is wrong: esbuild has then printed what and where. */
async function bundle(
  entryPoints: Record<string, string>,
  plugins: Plugin[],
): Promise<Metafile | null> {
  try {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints,
      outdir: "dist",
      bundle: true,
      platform: "node",
      target: "node20",
      format: "esm",
      sourcemap: "linked",
      banner: { js: ["#!/usr/bin/env node", ...requireForPackages].join("\n") },
      logLevel: "warning",
      metafile: true,
      // Wanted by `godwit explore` alone, and not brought along.
      external: ["esbuild", "typescript"],
      plugins,
    });
    return metafile;
  } catch (error) {
    if (error instanceof Error && "errors" in error) return null;
    throw error;
  }
}

/** The licence text of each bundled package. */
function licensesOf(metafile: Metafile): string {
  const packages = Object.keys(metafile.inputs).flatMap((input) => {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? [];
    return folder === undefined ? [] : [folder];
  });
  return [...new Set(packages)].sort().map(licenseOf).join("\n");
}

function licenseOf(folder: string): string {
  const { name, version } = JSON.parse(
    readFileSync(path.join(root, folder, "package.json"), "utf8"),
  );
  const file = readdirSync(path.join(root, folder)).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${folder}: no licence to go with the bundle`);
  const text = readFileSync(path.join(root, folder, file), "utf8");
  return `${name} ${version}\n\n${text.trim()}\n`;
}

function describe({ outputs }: Metafile): string {
  const bundles = Object.entries(outputs).filter(([file]) => file.endsWith(".js"));
  const sizes = bundles.map(([file, { bytes }]) => `${file} (${Math.ceil(bytes / 1024)} KiB)`);
  return sizes.join(", ") || "nothing";
}

function seconds(): string {
  return ((performance.now() - started) / 1000).toFixed(1);
}
