/**
 * A module of scenarios with the engine that they run on, as one bundle that a worker can load.
 *
 * The engine comes from its sources, so that a mistake can be put into any of them: a mutant is a
 * text that occurs once in one file of the bundle. `godwit` and its parts mean these sources too,
 * wherever the scenario lies. In a tracked build each module goes by the recorder of touches
 * (`track.ts`). The bundle exports `run` and `replay`, which take a job (`lab/run-job.ts`), and
 * `scenarios`.
 */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { BuildFailure, Plugin } from "esbuild";
import { InputError } from "../../base/input-error.ts";
import { loadEsbuild } from "../lab/esbuild.ts";
import { packageFile } from "../package-root.ts";
import { TrackedModules } from "./tracked-modules.ts";

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
  /** "tracked": the explorer is told what each step touches. Default: "untracked". */
  readonly touches?: "tracked" | "untracked";
}

/** The path of the bundle, in a folder of its own that the caller removes. */
export async function buildScenario(
  file: string,
  { mutant, touches = "untracked" }: BuildOptions,
): Promise<{ module: string }> {
  const tracked = touches === "tracked" ? await TrackedModules.load() : null;
  let contents: Uint8Array;
  do {
    tracked?.begin();
    contents = await bundle(file, mutant ?? null, tracked);
    // A module that was met for the first time may change what others had taken for fixed.
  } while (tracked?.hasNewNames === true);
  const folder = await mkdtemp(path.join(tmpdir(), "godwit-explore-"));
  const module = path.join(folder, "scenarios.mjs");
  await writeFile(module, contents);
  return { module };
}

async function bundle(
  file: string,
  mutant: AppliedMutant | null,
  tracked: TrackedModules | null,
): Promise<Uint8Array> {
  const entry = [
    `import * as scenarios from ${JSON.stringify(path.resolve(file))};`,
    `import { replayJob, runJob } from ${JSON.stringify(packageFile("src/lab/run-job.ts"))};`,
    "export const run = (job) => runJob(scenarios, job);",
    "export const replay = (job) => replayJob(scenarios, job);",
    "export { scenarios };",
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
    plugins: [partsOfThePackage, modules(mutant, tracked)],
  }).catch((error: BuildFailure) => {
    const thrown = error.errors[0]?.detail;
    if (thrown instanceof InputError) throw thrown;
    throw new InputError(file, error.message.trim(), "a module of scenarios");
  });
  return outputFiles[0].contents;
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

/** Modules as they are, with the mistake in one of them, or tracked. */
function modules(mutant: AppliedMutant | null, tracked: TrackedModules | null): Plugin {
  return {
    name: "modules",
    setup({ onLoad, onEnd }) {
      let isUsed = false;
      onLoad({ filter: /\.m?[tj]s$/ }, async ({ path: place }) => {
        const isTarget = place === mutant?.target;
        if (!isTarget && (tracked === null || !tracked.takes(place))) return undefined;
        let contents = await readFile(place, "utf8");
        if (isTarget) {
          isUsed = true;
          contents = mutated(contents, mutant);
        }
        if (tracked?.takes(place)) contents = tracked.textOf(place, contents);
        return { contents, loader: place.endsWith("ts") ? "ts" : "js" };
      });
      onEnd(({ errors }) => {
        if (mutant === null || isUsed || errors.length > 0) return;
        const { source, target } = mutant;
        throw new InputError(`${source}, file`, target, "a file that the scenario uses");
      });
    },
  };
}

function mutated(contents: string, { source, target, text, replacement }: AppliedMutant): string {
  const parts = contents.split(text);
  if (parts.length === 2) return parts.join(replacement);
  throw new InputError(`${source}, text`, `it ${parts.length - 1} times in ${target}`, "once");
}
