import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  type AppliedMutant,
  type BuildOptions,
  buildScenario,
} from "../src/host/lab-build/build-scenario.ts";
import type { Exploration } from "../src/lab/index.ts";

import { root } from "../tools/build/sources.ts";

/** A scenario of somebody else, in a folder of their own. */
const folder = mkdtempSync(path.join(tmpdir(), "scenario-"));
after(() => rmSync(folder, { recursive: true }));

const file = path.join(folder, "two-adders.ts");
writeFileSync(
  path.join(folder, "counter.ts"),
  `import type { Steps } from "godwit/steps";
export class Counter {
  count = 0;
  constructor(readonly start: number) { this.count = start; }
  *add(): Steps<void> {
    yield "before";
    this.count = this.count + 1;
    yield "behind";
  }
}`,
);
writeFileSync(
  file,
  `import { scenario, type Scenario } from "godwit/lab";
import { Counter } from "./counter.ts";
const story: Scenario = scenario("nothing is lost", function* (lab) {
  const counter = new Counter(0);
  const other = new Counter(0);
  lab.task("a", counter.add());
  lab.task("b", counter.add());
  lab.task("c", other.add());
  yield* lab.run();
  lab.check(counter.count === 2, "lost:", counter.count);
  lab.outcome(String(counter.count + other.count));
});
export default story;`,
);

async function explore(options: BuildOptions, strategy: string): Promise<Exploration> {
  const { module } = await buildScenario(file, options);
  const { run } = await import(pathToFileURL(module).href);
  rmSync(path.dirname(module), { recursive: true });
  const [[exploration]] = run({ file, only: null, searches: [{ strategy }] });
  return exploration;
}

/** A mutant of `target`, from the scenario's folder or, in src/, from the root of the package. */
function mutantOf(target: string, text: string, replacement: string): AppliedMutant {
  const from = target.startsWith("src/") ? root : folder;
  return { source: "it.mutant.ts", target: path.join(from, target), text, replacement };
}

const LOST = mutantOf(
  "counter.ts",
  "this.count = this.count + 1;",
  'const before = this.count;\n    yield "between";\n    this.count = before + 1;',
);

test("a scenario from another folder runs on this engine", async () => {
  const { verdict, schedules, coverage } = await explore({ touches: "untracked" }, "all");
  assert.equal(verdict, "clean");
  assert.equal(schedules, 1680, "9! / 3! 3! 3!");
  assert.deepEqual(coverage.outcomes, { 3: 1680 });
});

test("tracked, only schedules that can differ are left", async () => {
  const { verdict, schedules, complete } = await explore({ touches: "tracked" }, "reduced");
  assert.equal(verdict, "clean");
  assert.ok(complete);
  assert.equal(schedules, 2, "either of the two that share a counter adds first");
});

test("a mutant is found in both builds, and the next build is without it", async () => {
  for (const [touches, strategy] of [
    ["untracked", "all"],
    ["tracked", "reduced"],
  ] as const) {
    const { failure } = await explore({ touches, mutant: LOST }, strategy);
    assert.match(failure?.message ?? "", /lost: 1/);
    assert.equal((await explore({ touches }, strategy)).verdict, "clean");
  }
});

test("a mutant that makes what was fixed change is seen to", async () => {
  const mutant = mutantOf(
    "counter.ts",
    "this.count = this.count + 1;",
    `const before = this.start;
    yield "between";
    (this as { start: number }).start = before + 1;
    this.count = this.start;`,
  );
  const { failure } = await explore({ touches: "tracked", mutant }, "reduced");
  assert.match(failure?.message ?? "", /lost: 1/);
});

test("a mutant of the engine is named from the root of the package", async () => {
  const text = "for (const task of woken) task.wake();";
  const mutant = mutantOf("src/sched/wait-queue.ts", text, "");
  const { verdict } = await explore({ touches: "tracked", mutant }, "reduced");
  assert.equal(verdict, "failed", "nobody tells the scenario that its tasks have ended");
});

test("a mutant that does not fit is refused with what was found", async () => {
  const refused = (mutant: AppliedMutant, message: RegExp): Promise<void> =>
    assert.rejects(buildScenario(file, { mutant }), { name: "InputError", message });
  await refused(
    mutantOf("counter.ts", "yield", ""),
    /it\.mutant\.ts, text: found it 2 times in .*counter\.ts, expected once/,
  );
  await refused(mutantOf("counter.ts", "nowhere", ""), /found it 0 times/);
  await refused(
    mutantOf("src/cli/main.ts", "a", ""),
    /it\.mutant\.ts, file: found .*main\.ts, expected a file that the scenario uses/,
  );
});

test("a scenario that cannot be built says where", async () => {
  const broken = path.join(folder, "broken.ts");
  writeFileSync(broken, "export const a = ;\n");
  await assert.rejects(buildScenario(broken, {}), /broken\.ts:1:17/);
  writeFileSync(broken, "const o = {};\n\nObject.assign(o, {});\n");
  await assert.rejects(buildScenario(broken, { touches: "tracked" }), {
    name: "InputError",
    message: /broken\.ts:3: found Object\.assign, expected what the tracked build can follow/,
  });
});
