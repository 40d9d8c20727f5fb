/** The command as users call it: what it prints, how it ends, what it refuses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { packageFile } from "../host/package-root.ts";

const folder = mkdtempSync(path.join(tmpdir(), "godwit-explore-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

function explore(...args: readonly string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [packageFile("dist/cli.js"), "explore", ...args],
    { encoding: "utf8", cwd: folder },
  );
  return { status, out: stdout, err: stderr };
}

function write(file: string, text: string): string {
  writeFileSync(path.join(folder, file), text);
  return file;
}

const COUNT = `
import { scenario } from "godwit/lab";
function* add(state) { const read = state.n; state.n = read + 1; yield "added"; }
export default scenario("nothing is lost", function* (lab) {
  const state = { n: 0 };
  for (const name of ["a", "b"]) lab.task(name, add(state));
  yield* lab.run();
  lab.check(state.n === 2, "lost");
  lab.outcome("two");
});
`;
const MUTANT = {
  what: "somebody comes in between",
  file: "count.js",
  text: 'state.n = read + 1; yield "added";',
  replacement: 'yield "added"; state.n = read + 1;',
};

test("a mistake is found or missed, and the status says so", () => {
  write("count.js", COUNT);
  write("count.mutant.json", JSON.stringify(MUTANT));
  const found = explore(".", "--json");
  assert.equal(found.status, 0, found.err);
  const [scenario] = JSON.parse(found.out).scenarios;
  assert.equal(scenario.name, "nothing is lost");
  assert.deepEqual([scenario.mutant, scenario.fixed], ["found", "clean"]);
  assert.match(scenario.claim, /^exhaustive: /);
  for (const key of ["schedules", "seconds", "fixedSchedules", "fixedSeconds"]) {
    assert.equal(typeof scenario[key], "number", key);
  }

  const harmless = { ...MUTANT, replacement: `${MUTANT.text} yield "once more";` };
  write("count.mutant.json", JSON.stringify([MUTANT, harmless]));
  const missed = explore(".", "--json");
  assert.equal(missed.status, 1);
  const verdicts = JSON.parse(missed.out).scenarios.map(({ mutant }: never) => mutant);
  assert.deepEqual(verdicts, ["found", "missed"]);
  rmSync(path.join(folder, "count.mutant.json"));
});

test("one worker and many see the same", () => {
  const untimed = (out: string): string => out.replaceAll(/econds":[\d.e-]+/g, "");
  const examples = packageFile("examples");
  const [one, many] = ["1", "3"].map((workers) =>
    explore(examples, "--json", "--workers", workers),
  );
  assert.equal(one.status, 0, one.err);
  assert.equal(untimed(one.out), untimed(many.out));
});

test("what cannot be explored is refused with what was found and expected", () => {
  const none = explore("nowhere");
  assert.deepEqual([none.status, none.out], [2, ""]);
  assert.equal(none.err, "nowhere: found nothing, expected a file or a directory\n");
  write("broken.ts", "export default scenario(;");
  assert.match(explore("broken.ts").err, /^broken\.ts: found Build failed/);
  rmSync(path.join(folder, "broken.ts"));
  write("count.mutant.json", JSON.stringify({ ...MUTANT, text: "no such text" }));
  assert.match(
    explore(".").err,
    /count\.mutant\.json, text: found it 0 times in .*, expected once/,
  );
  write("count.mutant.json", "{");
  assert.match(explore(".").err, /expected a mutant, or a list of them, as JSON/);
  rmSync(path.join(folder, "count.mutant.json"));
  assert.match(explore("count.js", "--replay", "!").err, /letters and counts as in "a3b~a"/);
  assert.match(explore().err, /found no PATH/);
});
