/**
 * Module hooks that load the project's own TypeScript in its plain form (see plain.ts).
 *
 * Registered by plain-loader.mjs. Everything else, packages included, goes on to tsx. Each result
 * is kept under node_modules/.cache by a hash of all that made it: loading the compiler takes
 * longer than most tests, and every test file is a process of its own.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import type { LoadHook } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { hasPlainForm, root } from "./sources.ts";

const cacheFolder = path.join(root, "node_modules/.cache/godwit-plain");
const recipe = await Promise.all([
  readFile(import.meta.filename, "utf8"),
  readFile(path.join(import.meta.dirname, "plain.ts"), "utf8"),
]);

export const load: LoadHook = async (url, context, nextLoad) => {
  const file = url.startsWith("file:") ? fileURLToPath(url) : "";
  if (!hasPlainForm(file)) return nextLoad(url, context);
  const source = await readFile(file, "utf8");
  if (!source.includes("yield")) return nextLoad(url, context);
  return { format: "module", source: await cached(source, file), shortCircuit: true };
};

async function cached(source: string, file: string): Promise<string> {
  const hash = createHash("sha256");
  for (const part of [...recipe, file, source]) hash.update(part).update("\0");
  const place = path.join(cacheFolder, `${hash.digest("hex")}.mjs`);
  try {
    return await readFile(place, "utf8");
  } catch {
    const code = await toPlainJavaScript(source, file);
    await writeWhole(place, code);
    return code;
  }
}

async function toPlainJavaScript(source: string, file: string): Promise<string> {
  const [{ toPlain }, { transform }] = await Promise.all([import("./plain.ts"), import("esbuild")]);
  const { code } = await transform(toPlain(source, file), {
    loader: "ts",
    format: "esm",
    target: "node20",
    sourcefile: file,
    sourcemap: "inline",
  });
  return code;
}

/** Other test processes may read `place` meanwhile: it appears whole or not at all. */
async function writeWhole(place: string, text: string): Promise<void> {
  const partial = `${place}.${process.pid}`;
  await mkdir(path.dirname(place), { recursive: true });
  await writeFile(partial, text);
  await rename(partial, place);
}
