/**
 * Each scenario under every schedule; each of its mutants is found, for the right reason, by a
 * search and by no schedule without a preemption.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { exploreScenario } from "../src/lab/explore-scenario.ts";
import type { Mutant, Scenario } from "../src/lab/scenario.ts";
import { root } from "../tools/build/sources.ts";

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => /^[a-z0-9-]+\.ts$/.test(name));
assert.ok(files.length > 0, "there are scenarios");

for (const file of files) {
  const name = file.slice(0, -".ts".length);
  const scenario = (await import(`./${file}`)).default as Scenario;
  const given = (await import(`./${name}.mutant.ts`)).default as Mutant | readonly Mutant[];

  test(`${name}: ${scenario.name}`, () => {
    const { verdict, failure, complete, claim } = exploreScenario(scenario);
    assert.equal(verdict, "clean", failure?.message);
    assert.ok(complete, claim);
  });

  for (const mutant of [given].flat()) {
    test(`${name}: found: ${mutant.what}`, async () => {
      const mutated = await loadMutated(file, mutant);
      const alone = mutated.exploreScenario(mutated.scenario, {
        strategy: "preemptions",
        preemptions: 0,
      });
      assert.equal(alone.failure?.message, undefined, "one task after the other shows it");
      const { failure } = mutated.exploreScenario(mutated.scenario);
      assert.ok(failure !== null && failure.run !== null, "no schedule shows the mistake");
      assert.match(failure.message, new RegExp(mutant.says ?? ""));
    });
  }
}

interface Mutated {
  readonly scenario: Scenario;
  readonly exploreScenario: typeof exploreScenario;
}

/** The scenario and the lab on an engine with the mistake. */
async function loadMutated(file: string, mutant: Mutant): Promise<Mutated> {
  const { outputFiles } = await build({
    stdin: {
      contents:
        `export { default as scenario } from "./${file}";\n` +
        'export { exploreScenario } from "../src/lab/explore-scenario.ts";\n',
      resolveDir: folder,
    },
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "silent",
    plugins: [withMistake(mutant)],
  });
  const place = await mkdtemp(path.join(tmpdir(), "godwit-scenario-"));
  try {
    const module = path.join(place, "scenario.mjs");
    await writeFile(module, outputFiles[0].contents);
    return await import(pathToFileURL(module).href);
  } finally {
    await rm(place, { recursive: true });
  }
}

function withMistake({ file, text, replacement }: Mutant): Plugin {
  return {
    name: "mutant",
    setup({ onLoad, onEnd }) {
      let isUsed = false;
      onLoad({ filter: /\.ts$/ }, async ({ path: module }) => {
        if (module !== path.join(folder, file) && module !== path.join(root, file))
          return undefined;
        isUsed = true;
        const parts = (await readFile(module, "utf8")).split(text);
        assert.equal(parts.length, 2, `${file}: the text is there once: ${text}`);
        return { contents: parts.join(replacement), loader: "ts" };
      });
      onEnd(() => assert.ok(isUsed, `${file}: the scenario does not use it`));
    },
  };
}
