/**
 * What the npm scripts call: sets up what is missing, says so on standard error, then runs.
 *
 * Plain JavaScript without dependencies, because it must run on a fresh clone. Installs when a
 * package of package-lock.json is not in node_modules at its version, and builds when any source
 * has changed since the last build. Prints nothing of its own on standard output.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const root = path.resolve(import.meta.dirname, "..");
/** What is built apart, in this order, and the note of which sources it was made from. */
const builds = {
  commands: { script: "tools/build/build.ts", stamp: "dist/.sources" },
  library: { script: "tools/build/library.ts", stamp: "dist/library/.sources" },
};

const commands = {
  start: (args) => runBundle("dist/cli.js", ["start", ...args]),
  godwit: (args) => runBundle("dist/cli.js", args),
  soak: (args) => runBundle("dist/soak/main.js", args),
  bench: (args) => runBundle("dist/bench/main.js", args),
  "bench-schedules": (args) => runBundle("dist/bench/schedules.js", args),
  build: () => Object.keys(builds).forEach(build),
  test,
};

const [name = "", ...rest] = process.argv.slice(2);
if (!Object.hasOwn(commands, name)) {
  say(`usage: node tools/run.mjs ${Object.keys(commands).join("|")} [ARGUMENT...]`);
  process.exit(2);
}
process.chdir(root);
installIfStale();
await commands[name](rest);

/** In this process, so that signals, streams and the exit status are the bundle's own. */
async function runBundle(bundle, args) {
  buildIfStale("commands");
  const file = path.join(root, bundle);
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
}

/**
 * Runs every test whose path contains one of `patterns`, or all, on both builds.
 *
 * `x.schedules.test.ts` suspends tasks and needs generators; `x.plain.test.ts` runs whole machines
 * and is left to the faster build. House rules, the lab and what faces the user run once.
 */
function test(patterns) {
  const files = ["tools", "src", "test", "scenarios", "examples"]
    .flatMap(filesUnder)
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => patterns.length === 0 || patterns.some((part) => file.includes(part)));
  const runOnce = /^(tools|src\/(sched\/explore|lab|report|host|cli))\/|\.schedules\.test\.ts$/;
  const steps = files.filter((file) => !file.endsWith(".plain.test.ts"));
  const plain = files.filter((file) => !runOnce.test(file));
  if (files.length === 0) {
    say("no test file has such a path");
    process.exit(2);
  }
  // Some of them run the built command, as a user would, and some use the built package.
  if (files.some((file) => /^(test|src\/cli)\//.test(file))) buildIfStale("commands");
  if (files.some((file) => /^test\/package/.test(file))) buildIfStale("library");
  runTests("steps", "tsx", steps);
  runTests("plain", "./tools/build/plain-loader.mjs", plain);
}

function runTests(build, loader, files) {
  if (files.length === 0) return;
  say(`testing the ${build} build: ${files.length} files`);
  process.env.GODWIT_BUILD = build;
  const concurrency = `--test-concurrency=${availableParallelism()}`;
  const flags = ["--import", loader, "--test", "--test-reporter=spec", concurrency];
  const status = run(process.execPath, [...flags, ...files], "inherit");
  if (status !== 0) process.exitCode = status;
}

function build(what) {
  const { script, stamp } = builds[what];
  // Taken first: a source that changes during the build is newer than the build.
  const sources = describeSources();
  const status = run(process.execPath, ["--import", "tsx", script], 2);
  if (status !== 0) process.exit(status);
  writeFileSync(stamp, sources);
}

function buildIfStale(what) {
  if (readIfThere(builds[what].stamp) === describeSources()) return;
  say(`building the ${what}: dist/ is missing or older than the sources`);
  build(what);
}

/** Every file that a build may read, with its size and the time of its last change. */
function describeSources() {
  const files = ["src", "bench", "soak", "web", "tools/build"].flatMap(filesUnder);
  return [...files, "package-lock.json"]
    .filter((file) => !file.endsWith(".test.ts"))
    .map((file) => {
      const { mtimeMs, size } = statSync(file);
      return `${file} ${size} ${mtimeMs}\n`;
    })
    .join("");
}

function installIfStale() {
  const stale = missingPackage();
  if (stale === undefined) return;
  say(`installing with npm ci: ${stale} is not in node_modules as package-lock.json says`);
  const status = run("npm", ["ci", "--no-audit", "--no-fund"], 2);
  if (status !== 0) process.exit(status);
}

/** The first package that npm's own record of node_modules lacks; optional ones may be absent. */
function missingPackage() {
  const wanted = JSON.parse(readFileSync("package-lock.json", "utf8")).packages;
  const record = readIfThere("node_modules/.package-lock.json");
  const installed = record === undefined ? {} : JSON.parse(record).packages;
  return Object.keys(wanted).find(
    (place) =>
      place !== "" &&
      !wanted[place].optional &&
      installed[place]?.version !== wanted[place].version,
  );
}

/** Paths from the root, sorted; none if there is no such folder. */
function filesUnder(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`)
      .sort();
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Exit status of the program, or 128 and the signal that ended it, as a shell has it. */
function run(program, args, stdout) {
  const { status, signal, error } = spawnSync(program, args, { stdio: ["inherit", stdout, 2] });
  if (error !== undefined) throw error;
  return status ?? 128 + constants.signals[signal];
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
