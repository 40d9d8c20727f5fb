/**
 * Builds what the package exports: `node --import tsx tools/build/library.ts`, after `build.ts`.
 *
 * An entry is a file of src/library. Those of one form share what they have in common in chunks, so
 * that a machine of one is a machine for the other. `node` has packages in it and runs in Node
 * alone, so it is a bundle by itself, which takes all of the engine from `snapshot`. Each entry
 * gets its declarations, in the form that it runs in.
 */
import { readdirSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { requireForPackages } from "./bundle.ts";
import { Declarations, type Form } from "./declarations.ts";
import { plainForm } from "./plain-plugin.ts";
import { root } from "./sources.ts";

const entries: Readonly<Record<Form, readonly string[]>> = {
  plain: ["godwit", "snapshot"],
  steps: ["steps", "lab"],
};

const common: BuildOptions = {
  absWorkingDir: root,
  outdir: "dist/library",
  bundle: true,
  target: "node20",
  format: "esm",
  logLevel: "warning",
};

const started = performance.now();
await rm(path.join(root, "dist/library"), { recursive: true, force: true });
await rm(path.join(root, "dist/types"), { recursive: true, force: true });
try {
  await bundleForm("plain", [plainForm]);
  await bundleForm("steps", []);
  await build({
    ...common,
    entryPoints: ["src/library/node.ts"],
    platform: "node",
    banner: { js: requireForPackages.join("\n") },
    plugins: [engineFromSnapshot(), plainForm],
  });
  await writeDeclarations();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const files = readdirSync(path.join(root, "dist/library")).filter((file) => file.endsWith(".js"));
  console.error(`built dist/library (${files.join(", ")}) in ${seconds} s`);
} catch (error) {
  // esbuild has printed what is wrong with a source, and where.
  if (!(error instanceof Error && "errors" in error)) throw error;
  process.exitCode = 1;
}

async function bundleForm(form: Form, plugins: Plugin[]): Promise<void> {
  await build({
    ...common,
    entryPoints: entries[form].map((entry) => `src/library/${entry}.ts`),
    chunkNames: `${form}-[hash]`,
    splitting: true,
    platform: "neutral",
    plugins,
  });
}

/** What is neither in host/ nor a package comes from the bundle of `godwit/snapshot`. */
function engineFromSnapshot(): Plugin {
  const isHost = /[\\/]src[\\/](host|library)[\\/]/;
  return {
    name: "engine-from-snapshot",
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path: name, resolveDir, importer }) => {
        const target = path.resolve(resolveDir, name);
        if (!isHost.test(importer) || isHost.test(target)) return undefined;
        return { path: "./snapshot.js", external: true };
      });
    },
  };
}

async function writeDeclarations(): Promise<void> {
  const declarations = new Declarations();
  const plain = await declarations.reach([...entries.plain, "node"].map(sourceOf), "plain");
  const steps = await declarations.reach(entries.steps.map(sourceOf), "steps");
  for (const [form, made] of Object.entries({ plain, steps })) {
    for (const [file, text] of made) {
      const relative = path.relative(path.join(root, "src"), file).replace(/\.ts$/, ".d.ts");
      const place = path.join(root, "dist/types", form, relative);
      await mkdir(path.dirname(place), { recursive: true });
      await writeFile(place, text);
    }
  }
}

function sourceOf(entry: string): string {
  return path.join(root, "src/library", `${entry}.ts`);
}
