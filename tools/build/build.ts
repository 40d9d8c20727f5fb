/**
 * Builds what users run: `node --import tsx tools/build/build.ts`.
 *
 * Each entry becomes one bundle in dist/, packages included, in the build for run-to-end.
 */
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { plainForm } from "./plain-plugin.ts";
import { root } from "./sources.ts";

/** Name of the bundle in dist/, without ".js" -> its source. */
const entries: Readonly<Record<string, string>> = {
  cli: "src/cli/main.ts",
  "bench/main": "bench/main.ts",
};

const started = performance.now();
const present = Object.entries(entries).filter(([, source]) => existsSync(path.join(root, source)));
await rm(path.join(root, "dist"), { recursive: true, force: true });
await mkdir(path.join(root, "dist"));
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(present),
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  sourcemap: "external",
  banner: { js: "#!/usr/bin/env node" },
  logLevel: "warning",
  metafile: true,
  plugins: [plainForm],
});
const bundles = Object.entries(metafile.outputs)
  .filter(([file]) => file.endsWith(".js"))
  .map(([file, { bytes }]) => `${file} (${Math.ceil(bytes / 1024)} KiB)`);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.error(`built ${bundles.join(", ") || "nothing"} in ${seconds} s`);
