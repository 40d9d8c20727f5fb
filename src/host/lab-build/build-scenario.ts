/**
 * A module of scenarios with the engine that they run on, as one bundle that a worker can load.
 *
 * The engine comes from its sources, so that a mistake can be put into any of them: a mutant is a
 * text that occurs once in one file of the bundle. `godwit` and its parts mean these sources too,
 * wherever the scenario lies. The bundle exports `run` and `replay`, which take a job (`lab/run-job.ts`).
 */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Plugin } from "esbuild";
import { InputError } from "../../base/input-error.ts";
import { loadEsbuild } from "../lab/esbuild.ts";
import { packageFile } from "../package-root.ts";

/** What the parts of the package are built from. */
const PARTS: Readonly<Record<string, string>> = {
  godwit: "src/library/steps.ts",
  "godwit/lab": "src/library/lab.ts",
  "godwit/snapshot": "src/library/snapshot.ts",
  "godwit/steps": "src/library/steps.ts",
};

/** One text of one file, replaced. */
export interface AppliedMutant {
  /** The file that declares it, for messages. */
  readonly source: string;
  /** The file that it changes: absolute. */
  readonly target: string;
  readonly text: string;
  readonly replacement: string;
}

export interface BuildOptions {
  readonly mutant?: AppliedMutant;
}

/** The path of the bundle, in a folder of its own that the caller removes. */
export async function buildScenario(
  file: string,
  { mutant }: BuildOptions,
): Promise<{ module: string }> {
  const entry = [
    `import * as scenarios from ${JSON.stringify(path.resolve(file))};`,
    `import { replayJob, runJob } from ${JSON.stringify(packageFile("src/lab/run-job.ts"))};`,
    "export const run = (job) => runJob(scenarios, job);",
    "export const replay = (job) => replayJob(scenarios, job);",
  ].join("\n");
  const { build } = await loadEsbuild();
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: packageFile("."), loader: "js" },
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "silent",
    plugins: [partsOfThePackage, ...(mutant === undefined ? [] : [withMistake(mutant)])],
  }).catch((error: Error) => {
    if (error.cause instanceof InputError) throw error.cause;
    throw new InputError(file, error.message.trim(), "a module of scenarios");
  });
  const folder = await mkdtemp(path.join(tmpdir(), "godwit-explore-"));
  const module = path.join(folder, "scenarios.mjs");
  await writeFile(module, outputFiles[0].contents);
  return { module };
}

const partsOfThePackage: Plugin = {
  name: "parts-of-the-package",
  setup({ onResolve }) {
    onResolve({ filter: /^godwit(\/|$)/ }, ({ path: part }) => {
      const source = PARTS[part];
      return source === undefined ? undefined : { path: packageFile(source) };
    });
  },
};

function withMistake({ source, target, text, replacement }: AppliedMutant): Plugin {
  return {
    name: "mutant",
    setup({ onLoad, onEnd }) {
      let isUsed = false;
      onLoad({ filter: /\.m?[tj]s$/ }, async (module) => {
        if (module.path !== target) return undefined;
        isUsed = true;
        const parts = (await readFile(target, "utf8")).split(text);
        if (parts.length !== 2) {
          throw new InputError(
            `${source}, text`,
            `it ${parts.length - 1} times in ${target}`,
            "once",
          );
        }
        return { contents: parts.join(replacement), loader: target.endsWith("ts") ? "ts" : "js" };
      });
      onEnd(({ errors }) => {
        if (isUsed || errors.length > 0) return;
        throw new InputError(`${source}, file`, target, "a file that the scenario uses");
      });
    },
  };
}
