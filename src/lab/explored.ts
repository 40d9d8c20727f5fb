/** A scenario explored as the engine is, and with each of its mistakes: plain data. */
import type { Exploration } from "./explore-scenario.ts";

export interface ExploredScenario {
  readonly file: string;
  /** The engine as it is. */
  readonly fixed: Exploration;
  readonly mutants: readonly ExploredMutant[];
}

export interface ExploredMutant {
  /** Among those of its file, from 1. */
  readonly number: number;
  /** The mistake, as a sentence. */
  readonly what: string;
  /** The file that declares it. */
  readonly source: string;
  /** What the failure must say; null for any failure. */
  readonly says: RegExp | string | null;
  readonly exploration: Exploration;
  /** The mistake with each task run to its end: one that shows there is no race. */
  readonly inOrder: Exploration;
}

/** Whether the mistake was found, for the reason that it should be. */
export function isFound({
  exploration,
  says,
}: Pick<ExploredMutant, "exploration" | "says">): boolean {
  const message = exploration.failure?.message;
  if (message === undefined) return false;
  return says === null || (says instanceof RegExp ? says.test(message) : message.includes(says));
}

/** Whether nothing is wrong: clean without a mistake, and every mistake found. */
export function isGood({ fixed, mutants }: ExploredScenario): boolean {
  return fixed.verdict === "clean" && mutants.every(isFound);
}
