/**
 * What exploring scenarios has shown: as text, a paragraph for each scenario, and as data.
 */
import type { Exploration } from "../lab/explore-scenario.ts";
import { type ExploredMutant, type ExploredScenario, isFound } from "../lab/explored.ts";
import { type StoryStyle, storyText } from "../lab/tell/story-text.ts";
import { bold, type ColourDepth, dim, paint } from "./colour.ts";
import type { TextStyle } from "./look-text.ts";

const GOOD = 0x2e9e4f;
const BAD = 0xd0342c;

export interface ExploreStyle extends TextStyle {
  /** Whether the failure of every mistake is told. */
  readonly tell: boolean;
}

/** One scenario: what was searched, and each mistake. A failure without a mistake is told whole. */
export function exploreText(explored: ExploredScenario, style: ExploreStyle): string {
  const { fixed, mutants, file } = explored;
  const { colour } = style;
  const lines = [
    `${mark(colour, fixed.verdict === "clean")} ${bold(colour, fixed.name)}`,
    `  ${fixed.claim}, ${seconds(fixed)}`,
    ...(fixed.failure === null ? covered(fixed) : [`  failed: ${fixed.failure.message}`]),
    ...told(fixed, style),
    ...mutants.flatMap((mutant) => mutantLines(mutant, file, style)),
  ];
  return `${lines.join("\n")}\n`;
}

/** What a green run stands on. */
function covered({ coverage: { outcomes, states } }: Exploration): string[] {
  const counts = (each: Readonly<Record<string, number>>): string =>
    Object.entries(each)
      .map(([name, times]) => `${name} (${times})`)
      .join(", ");
  return [
    ...(Object.keys(outcomes).length > 0 ? [`  outcomes: ${counts(outcomes)}`] : []),
    ...(Object.keys(states).length > 0 ? [`  reached: ${counts(states)}`] : []),
  ];
}

function mutantLines(mutant: ExploredMutant, file: string, style: ExploreStyle): string[] {
  const { exploration, inOrder, what, number } = mutant;
  const { colour } = style;
  const found = isFound(mutant);
  const { failure } = exploration;
  const lines = [`  ${mark(colour, found)} ${what}`, `    ${verdict(mutant)}`];
  if (failure !== null && failure.replay !== "") {
    const command = `godwit explore ${file} --mutant ${number} --replay "${failure.replay}"`;
    lines.push(dim(colour, `    ${command}`));
  }
  if (inOrder.verdict === "failed") {
    lines.push(paint(colour, "    no race: it fails with one task after the other, too", BAD));
  }
  return style.tell ? [...lines, ...told(exploration, style)] : lines;
}

function verdict(mutant: ExploredMutant): string {
  const { schedules, failure, claim } = mutant.exploration;
  if (failure === null) return `missed: ${claim}`;
  if (!isFound(mutant)) return `missed: it fails otherwise than it should: ${failure.message}`;
  const after = schedules === 1 ? "1 schedule" : `${schedules} schedules`;
  return `found after ${after}, ${seconds(mutant.exploration)}: ${failure.message}`;
}

function told({ failure }: Exploration, { colour, width }: ExploreStyle): string[] {
  if (failure === null || failure.story === null) return [];
  return ["", storyText(failure.story, storyStyle(colour, width))];
}

/** How stories look on a terminal. */
export function storyStyle(colour: ColourDepth, width: number): StoryStyle {
  return {
    width,
    title: (text) => bold(colour, text),
    faint: (text) => dim(colour, text),
    bad: (text) => paint(colour, text, BAD),
  };
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
        points: fixed.coverage.points,
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
