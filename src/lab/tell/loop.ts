/** Steps at the end of a long run that are the same ones again and again. */
import type { RecordedStep } from "./recorder.ts";
import type { StoryLoop } from "./story.ts";

/** Longest loop that is looked for. */
const LENGTH_MAX = 200;

/** It has to come round so often to be believed. */
const TIMES_MIN = 3;

/** The shortest loop that the run ends in, from where it begins; null if there is none. */
export function findLoop(steps: readonly RecordedStep[]): StoryLoop | null {
  const keys = steps.map(({ actor, from, to, changes }) =>
    JSON.stringify([actor, from, to, changes.map(({ pfn, fields }) => [pfn, fields.length])]),
  );
  for (let length = 1; length <= LENGTH_MAX && length * TIMES_MIN <= keys.length; length++) {
    let first = keys.length - length;
    while (first > 0 && keys[first - 1] === keys[first - 1 + length]) first--;
    const times = Math.floor((keys.length - first) / length);
    if (times >= TIMES_MIN) return { first: first + 1, length, times };
  }
  return null;
}
