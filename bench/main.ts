/**
 * The benchmarks: `npm run bench -- [--json] [NAME...]`.
 *
 * Figures are of this machine and this run; what can be compared elsewhere are the ratios.
 */
import { parseArgs } from "node:util";
import { tuneEngine } from "../src/host/tune-engine.ts";
import { compactBytes, compactTokens, fileClean, fileDirtyBuffers } from "./compact.ts";
import { type Benchmark, type BenchmarkResult, measure } from "./measure.ts";
import { buddyAllocFree, scan } from "./memory.ts";
import { fault, lookup, movePagesCalls } from "./use.ts";

const benchmarks: Readonly<Record<string, () => Benchmark>> = {
  "compact-bytes": compactBytes,
  "compact-tokens": compactTokens,
  "file-clean": fileClean,
  "file-dirty-buffers": fileDirtyBuffers,
  "move-pages": movePagesCalls,
  fault,
  lookup,
  "buddy-alloc-free": buddyAllocFree,
  scan,
};

tuneEngine();
main();

function main(): void {
  const { json, names } = readArguments();
  const results: BenchmarkResult[] = [];
  if (!json) console.log(headline());
  for (const name of names) {
    process.stderr.write(`measuring ${name}\n`);
    const result = measure(benchmarks[name]());
    results.push(result);
    if (!json) console.log(line(result));
  }
  if (json) console.log(JSON.stringify({ benchmarks: results }, null, 2));
}

function readArguments(): { json: boolean; names: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    const known = Object.keys(benchmarks);
    const unknown = positionals.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new Error(`no benchmark "${unknown}"; there are ${known.join(", ")}`);
    }
    return { json: values.json, names: positionals.length > 0 ? positionals : known };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(2);
  }
}

function headline(): string {
  return [
    `Node ${process.version}; freed frames are poisoned with 64 bytes; cold is the first round`,
    ["name".padEnd(18), ...["min", "median", "max", "cold"].map(right), "  against"].join(""),
  ].join("\n");
}

function line({ name, unit, min, median, max, first, against, ratio }: BenchmarkResult): string {
  const figures = [min, median, max, first].map((value) => right(value.toFixed(1)));
  const other =
    against === null || ratio === null
      ? ""
      : `  ${against.name} ${against.median.toFixed(1)}: ${ratio.toFixed(2)} times`;
  return `${name.padEnd(18)}${figures.join("")}  ${unit}${other}`;
}

function right(text: string): string {
  return text.padStart(10);
}
