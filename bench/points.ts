/**
 * What preemption points cost when nobody explores: `npm run bench:points [ROUNDS]`.
 *
 * Bundles the compaction benchmark twice, in its plain form as it is and with every point removed
 * from the sources first, and times the two in turn, in one process. Says as well whether the two
 * bundles are one text once their empty statements are gone: then there is nothing to measure.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { inlineConstants } from "../tools/build/constants.ts";
import { toPlain } from "../tools/build/plain.ts";
import { plainForm } from "../tools/build/plain-plugin.ts";
import { hasPlainForm } from "../tools/build/sources.ts";
import { measure } from "./measure.ts";

type Compact = typeof import("./compact.ts");

const ROUNDS = Number(process.argv[2] ?? 10);
let removed = 0;

/** The plain form of sources in which no point was ever written. */
const withoutPoints: Plugin = {
  name: "without-points",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      if (!hasPlainForm(file)) return undefined;
      const source = (await readFile(file, "utf8")).replaceAll(/^( *)yield "[^"\n]+";$/gm, () => {
        removed++;
        // The word stays, by which the plain form knows modules that have something to turn plain.
        return "// yield";
      });
      return { contents: inlineConstants(toPlain(source, file), file), loader: "ts" };
    });
  },
};

const folder = await mkdtemp(path.join(tmpdir(), "godwit-points-"));
const withPoints = await bundle("with", plainForm);
const without = await bundle("without", withoutPoints);
await rm(folder, { recursive: true });

console.log(`Node ${process.version}, ${cpus()[0].model}; ${removed} points removed`);
const same = withPoints.text === without.text ? "the same text" : "different texts";
console.log(`the two bundles are ${same}, apart from empty statements`);
const benchmark = withPoints.module.compactBytes();
const against = { name: "without points", round: without.module.compactBytes().round };
const result = measure({ ...benchmark, rounds: ROUNDS, against });
console.log(`compact-bytes with points:    median ${result.median.toFixed(0)} ns/page`);
console.log(`compact-bytes without points: median ${result.against?.median.toFixed(0)} ns/page`);
const percent = ((result.ratio ?? Number.NaN) - 1) * 100;
console.log(`the points cost ${percent.toFixed(1)}% of ${ROUNDS} rounds each, in turn`);

async function bundle(name: string, plugin: Plugin): Promise<{ module: Compact; text: string }> {
  const module = path.join(folder, `${name}.mjs`);
  const options: BuildOptions = {
    entryPoints: [path.join(import.meta.dirname, "compact.ts")],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    plugins: [plugin],
  };
  await build({ ...options, outfile: module });
  const { outputFiles } = await build({ ...options, write: false as const, minifySyntax: true });
  const text = outputFiles[0].text.replaceAll(/^\s*\n/gm, "");
  return { module: await import(pathToFileURL(module).href), text };
}
