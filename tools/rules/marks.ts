/**
 * Nothing is left over: no mark that says "later", no test that is switched off, no conflict, and
 * no path of the machine on which it was written.
 */
import type { TextFile } from "./files.ts";

/** Written so that no pattern finds itself. */
const LEFT_OVERS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a mark for later", /\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K]|WI[P])\b/],
  ["a stub", /\b(?:not (?:yet )?implement[e]d|unimplement[e]d)\b/i],
  [
    "a test that is switched off or runs alone",
    /\b(?:test|it|describe|suite|t)\.(?:skip|todo|only)\b/,
  ],
  ["a test that is switched off or runs alone", /\b(?:skip|todo|only): (?:true|["'`])/],
  ["a merge conflict", /^(?:<{7}|={7}|>{7})( |$)/],
  ["a path of one machine", /(?<![\w.*-])\/(?:home|root|Users|work|farm|mnt|tmp)\/[\w.]/],
  ["a debugger statement", /^\s*debugger;/],
];

export function leftOvers(files: readonly TextFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, i) => {
      const found = LEFT_OVERS.find(([, pattern]) => pattern.test(line));
      return found === undefined ? [] : [`${path}:${i + 1}: ${found[0]}: ${line.trim()}`];
    }),
  );
}
