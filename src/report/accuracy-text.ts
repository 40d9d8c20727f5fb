/**
 * Our gains beside the kernel's, as a table: a row a pair, then why some are not judged.
 */
import type { PairAccuracy } from "../replay/accuracy.ts";

export function accuracyText(pairs: readonly PairAccuracy[]): string {
  const width = Math.max(4, ...pairs.map(({ name }) => name.length));
  const header = `${"pair".padEnd(width)}  before   after    gain  kernel  within`;
  const rows = pairs.map((pair) => {
    const figures = [pair.before, pair.after, pair.gain, pair.kernelGain];
    const cells = figures.map((figure) => String(figure).padStart(6)).join("  ");
    return `${pair.name.padEnd(width)}  ${cells}  ${verdictOf(pair)}`;
  });
  const reasons = [...new Set(pairs.map(({ why }) => why))].filter((why) => why !== "");
  const notes = reasons.map((why) => {
    const names = pairs.filter((pair) => pair.why === why).map(({ name }) => name);
    return `not judged: ${names.join(", ")}: ${why}`;
  });
  const title = "Free 2 MiB blocks, by our own reading; the kernel's gain on the same memory";
  return `${[title, "", header, ...rows, "", ...notes].join("\n").trimEnd()}\n`;
}

function verdictOf({ within, bound }: PairAccuracy): string {
  const verdict = within === null ? "-" : within ? "yes" : "NO";
  return `${verdict.padEnd(4)} (may differ by ${bound.toFixed(0)})`;
}
