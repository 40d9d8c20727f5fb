/**
 * What a call costs that may sleep: `npm run bench:protocol`.
 *
 * Bundles call-protocol-work.ts twice, as it is and in its plain form, and times both against
 * functions written by hand. The figures in docs/decisions/0001-call-protocol.md are its output.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { runToEnd } from "../src/sched/run.ts";
import { plainForm } from "../tools/build/plain-plugin.ts";

type Work = typeof import("./call-protocol-work.ts");

const PAGES = 1_000_000;
const PAGE_SIZE = 4096;
const COPIED_PAGES = 65_536;
const WARM_UP_ROUNDS = 5;
const ROUNDS = 15;

const folder = await mkdtemp(path.join(tmpdir(), "godwit-call-protocol-"));
const steps = await bundle("steps");
const plain = await bundle("plain");
await rm(folder, { recursive: true });

console.log(`Node ${process.version}, ${cpus()[0].model}; median (least) of ${ROUNDS} rounds`);
console.log(`of ${PAGES} each\n`);
row("", "generators", "plain form", "by hand");
locking("lock and unlock, one call", "lockEach");
locking("the same through three levels", "lockEachThreeDown");
locking("the same, try first", "lockEachTryFirst");
moving("the move of one page");
for (const depth of [1, 8]) {
  const time = perItem(() => runToEnd(steps.suspendOften(PAGES, depth)));
  row(`one suspension, ${depth} deep`, time, "-", "-");
}
const copy = copyPages();
row("for scale: copy of 4096 bytes", "-", "-", copy);
console.log("\nall in nanoseconds");

async function bundle(form: "steps" | "plain"): Promise<Work> {
  const outfile = path.join(folder, `${form}.mjs`);
  await build({
    entryPoints: [path.join(import.meta.dirname, "call-protocol-work.ts")],
    outfile,
    bundle: true,
    format: "esm",
    target: "node20",
    plugins: form === "plain" ? [plainForm] : [],
  });
  return import(pathToFileURL(outfile).href);
}

function locking(name: string, which: "lockEach" | "lockEachThreeDown" | "lockEachTryFirst"): void {
  const mem = plain.makeColumns(PAGES);
  row(
    name,
    perItem(() => runToEnd(steps[which](mem, PAGES))),
    perItem(() => runToEnd(plain[which](mem, PAGES))),
    perItem(() => plain.lockEachByHand(mem, PAGES)),
  );
}

function moving(name: string): void {
  row(
    name,
    perItem(backAndForth((...where) => runToEnd(steps.moveEach(...where)))),
    perItem(backAndForth((...where) => runToEnd(plain.moveEach(...where)))),
    perItem(backAndForth(plain.moveEachByHand)),
  );
}

/** Every round moves all pages from the half where the last round left them to the other. */
function backAndForth(move: Work["moveEachByHand"]): () => void {
  const mem = plain.makeColumns(PAGES);
  let src = 0;
  return () => {
    const moved = move(mem, src, PAGES - src, PAGES);
    if (moved !== PAGES) throw new Error(`${moved} of ${PAGES} pages moved`);
    src = PAGES - src;
  };
}

/** From the lower half of an arena to the upper, page by page in ascending order. */
function copyPages(): string {
  const half = COPIED_PAGES * PAGE_SIZE;
  const arena = new Uint8Array(2 * half).fill(1);
  return perItem(() => {
    for (let from = 0; from < half; from += PAGE_SIZE) {
      arena.copyWithin(half + from, from, from + PAGE_SIZE);
    }
  }, COPIED_PAGES);
}

function perItem(round: () => void, items: number = PAGES): string {
  for (let i = 0; i < WARM_UP_ROUNDS; i++) round();
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    round();
    return ((performance.now() - start) * 1e6) / items;
  }).sort((a, b) => a - b);
  const median = times[Math.floor(ROUNDS / 2)];
  return `${median.toFixed(1)} (${times[0].toFixed(1)})`;
}

function row(name: string, ...cells: string[]): void {
  console.log(name.padEnd(32) + cells.map((cell) => cell.padStart(16)).join(""));
}
