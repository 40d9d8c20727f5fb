/**
 * A folder of scenarios and their mutants, as files.
 *
 * `NAME.ts` or `NAME.scenario.ts` declares scenarios; `NAME.mutant.ts`, `NAME.mutant.json` and
 * `NAME.ANYTHING.mutant.ts` beside it hold the mistakes that they must find, one or a list each.
 * JavaScript does as well as TypeScript. Tests, declarations and modules that declare no scenario
 * are passed over; one file may be named in place of a folder.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { InputError } from "../../base/input-error.ts";
import type { Mutant } from "../../lab/scenario.ts";
import { inputErrorOf } from "../input-errors.ts";
import { packageFile } from "../package-root.ts";
import { loadEsbuild } from "./esbuild.ts";

export interface ScenarioFile {
  /** As a user would name it. */
  readonly file: string;
  readonly mutants: readonly FoundMutant[];
}

export interface FoundMutant extends Mutant {
  /** The file that it was read from. */
  readonly source: string;
  /** The file that it changes: absolute. */
  readonly target: string;
  /** The scenario that must find it, where the file has several; all if absent. */
  readonly scenario?: string;
}

const MODULE = /\.(ts|mts|js|mjs)$/;
const MUTANT = /\.mutant\.(ts|mts|js|mjs|json)$/;
const PASSED_OVER = /\.(test|d)\.m?[tj]s$/;

/** Throws `InputError` where there is nothing to explore, or a mutant is none. */
export async function findScenarios(where: string): Promise<ScenarioFile[]> {
  const files = await filesAt(path.normalize(where));
  const scenarios: string[] = [];
  for (const file of files) if (await declaresScenario(file)) scenarios.push(file);
  if (scenarios.length === 0) {
    throw new InputError(where, "no scenario", 'a module that calls scenario("…", function* …)');
  }
  const folders = new Set(scenarios.map((file) => path.dirname(file)));
  const mutants = new Map<string, FoundMutant[]>();
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) {
      if (!MUTANT.test(name)) continue;
      const source = path.join(folder, name);
      const owner = ownerOf(source, scenarios);
      if (owner === null) continue;
      mutants.set(owner, [...(mutants.get(owner) ?? []), ...(await readMutants(source))]);
    }
  }
  return scenarios.map((file) => ({ file, mutants: mutants.get(file) ?? [] }));
}

/** The files under a folder in the order of their names, or the one file. */
async function filesAt(where: string): Promise<string[]> {
  try {
    if (!(await stat(where)).isDirectory()) return [where];
    const entries = await readdir(where, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    throw inputErrorOf(error, where) ?? error;
  }
}

async function declaresScenario(file: string): Promise<boolean> {
  const name = path.basename(file);
  if (!MODULE.test(name) || MUTANT.test(name) || PASSED_OVER.test(name)) return false;
  return /\bscenario\s*\(/.test(await readFile(file, "utf8"));
}

/** The scenario file that a mutant lies beside; null if it belongs to one that is not explored. */
function ownerOf(mutant: string, scenarios: readonly string[]): string | null {
  const folder = path.dirname(mutant);
  const beside = scenarios.filter((file) => path.dirname(file) === folder);
  const named = beside.find((file) => stem(file) === stem(mutant));
  if (named !== undefined) return named;
  const exists = [".ts", ".scenario.ts", ".js", ".mjs", ".mts"].some((ending) =>
    existsSync(path.join(folder, stem(mutant) + ending)),
  );
  if (exists) return null;
  if (beside.length === 1) return beside[0];
  throw new InputError(mutant, "no scenario beside it", `${stem(mutant)}.ts`);
}

/** The name up to the first dot. */
function stem(file: string): string {
  return path.basename(file).split(".")[0];
}

async function readMutants(source: string): Promise<FoundMutant[]> {
  const found = source.endsWith(".json") ? await readJson(source) : await load(source);
  const list: unknown[] = Array.isArray(found) ? found : [found];
  return list.map((each) => checkMutant(each, source));
}

async function readJson(source: string): Promise<unknown> {
  const text = await readFile(source, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(source, (error as Error).message, "a mutant, or a list of them, as JSON");
  }
}

/** The default export of a module of mutants, which is data and imports nothing but types. */
async function load(source: string): Promise<unknown> {
  const { build } = await loadEsbuild();
  const { outputFiles } = await build({
    entryPoints: [source],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    logLevel: "silent",
  }).catch((error: Error) => {
    throw new InputError(source, error.message, "a module of mutants");
  });
  const code = Buffer.from(outputFiles[0].contents).toString("base64");
  const module = await import(`data:text/javascript;base64,${code}`);
  return module.default;
}

function checkMutant(value: unknown, source: string): FoundMutant {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Partial<
    Record<keyof FoundMutant, unknown>
  >;
  const text = (name: "what" | "file" | "text" | "replacement"): string => {
    const field = fields[name];
    if (typeof field === "string") return field;
    throw new InputError(`${source}, ${name}`, typeof field, "a text");
  };
  const { says, scenario } = fields;
  const isPattern = says === undefined || says instanceof RegExp || typeof says === "string";
  if (!isPattern) throw new InputError(`${source}, says`, typeof says, "a pattern or a text");
  const file = text("file");
  return {
    what: fields.what === undefined ? path.basename(source) : text("what"),
    file,
    text: text("text"),
    replacement: text("replacement"),
    source,
    target: targetOf(file, source),
    ...(says === undefined ? {} : { says }),
    ...(typeof scenario === "string" ? { scenario } : {}),
  };
}

/** Beside the mutant, or else in the engine. */
function targetOf(file: string, source: string): string {
  const places = [path.resolve(path.dirname(source), file), packageFile(file)];
  const place = places.find((each) => existsSync(each));
  if (place !== undefined) return place;
  throw new InputError(`${source}, file`, `no file ${file}`, places.join(" or "));
}
