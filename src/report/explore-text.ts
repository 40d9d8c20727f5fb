/**
 * What exploring scenarios has shown: as text, a paragraph for each scenario, and as data.
 */
import type { Exploration } from "../lab/explore-scenario.ts";
import { type ExploredMutant, type ExploredScenario, isFound } from "../lab/explored.ts";
import { bold, type ColourDepth, dim, paint } from "./colour.ts";
import type { TextStyle } from "./look-text.ts";

const GOOD = 0x2e9e4f;
const BAD = 0xd0342c;

/** One scenario: what was searched, and each mistake. A failure without a mistake is told whole. */
export function exploreText(explored: ExploredScenario, { colour }: TextStyle): string {
  const { fixed, mutants } = explored;
  const lines = [
    `${mark(colour, fixed.verdict === "clean")} ${bold(colour, fixed.name)}`,
    `  ${fixed.claim}, ${seconds(fixed)}`,
    ...failureLines(fixed),
    ...mutants.flatMap((mutant) => mutantLines(colour, mutant)),
  ];
  return `${lines.join("\n")}\n`;
}

function mutantLines(colour: ColourDepth, mutant: ExploredMutant): string[] {
  const { exploration, inOrder, what } = mutant;
  const found = isFound(mutant);
  const { schedules, failure, claim } = exploration;
  const after = schedules === 1 ? "1 schedule" : `${schedules} schedules`;
  const told = found
    ? `found after ${after}, ${seconds(exploration)}: ${failure?.message ?? ""}`
    : failure === null
      ? `missed: ${claim}`
      : `missed: it fails otherwise than it should: ${failure.message}`;
  const lines = [`  ${mark(colour, found)} ${what}`, `    ${told}`];
  if (failure !== null && failure.replay !== "") {
    lines.push(dim(colour, `    --replay "${failure.replay}"`));
  }
  if (inOrder.verdict === "failed") {
    lines.push(paint(colour, "    no race: it fails with one task after the other, too", BAD));
  }
  return lines;
}

function failureLines({ failure }: Exploration): string[] {
  if (failure === null) return [];
  const replay = failure.replay === "" ? [] : [`  --replay "${failure.replay}"`];
  return [`  failed: ${failure.message}`, ...replay];
}

function mark(colour: ColourDepth, good: boolean): string {
  return good ? paint(colour, "✓", GOOD) : paint(colour, "✗", BAD);
}

function seconds(exploration: Exploration): string {
  return `${exploration.seconds.toFixed(2)} s`;
}

/** One object for each mistake of each scenario, and one for each scenario without any. */
export function exploreJson(explored: readonly ExploredScenario[]): {
  scenarios: Record<string, unknown>[];
} {
  return {
    scenarios: explored.flatMap(({ file, fixed, mutants }): Record<string, unknown>[] => {
      const common = {
        name: fixed.name,
        file,
        fixed: fixed.verdict,
        fixedSchedules: fixed.schedules,
        fixedSeconds: fixed.seconds,
        claim: fixed.claim,
        outcomes: fixed.coverage.outcomes,
        reached: fixed.coverage.states,
        failure: failureJson(fixed),
      };
      if (mutants.length === 0) return [{ ...common, mutant: null }];
      return mutants.map((mutant) => ({
        ...common,
        mutant: isFound(mutant) ? "found" : "missed",
        schedules: mutant.exploration.schedules,
        seconds: mutant.exploration.seconds,
        what: mutant.what,
        mutantFile: mutant.source,
        mutantFailure: failureJson(mutant.exploration),
        mutantInOrder: mutant.inOrder.verdict,
      }));
    }),
  };
}

function failureJson({ failure }: Exploration): { message: string; replay: string } | null {
  return failure === null ? null : { message: failure.message, replay: failure.replay };
}
