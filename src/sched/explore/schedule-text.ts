/**
 * A schedule as a short line that can be pasted: who steps, and how often in a row.
 *
 * Tasks are letters in the order in which they were made, "a" to "z", then "A" to "D"; "~" lets the
 * next due event happen. "a3b~a" is three steps of the first task, one of the second, an event,
 * and one of the first. Choices follow behind a semicolon: "a3b; mover: allocation fails #1=1".
 */
import { InputError } from "../../base/input-error.ts";
import { type Plan, parsePlan, planText } from "./choice-points.ts";
import { CLOCK } from "./program.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCD";

/** Actors in the order of their steps, and the choices that came out otherwise than by default. */
export interface Schedule {
  readonly actors: readonly number[];
  readonly plan: Plan;
}

export function actorLetter(actor: number): string {
  return actor === CLOCK ? "~" : LETTERS[actor];
}

export function scheduleText({ actors, plan }: Schedule): string {
  let text = "";
  for (let at = 0; at < actors.length; ) {
    let end = at + 1;
    while (end < actors.length && actors[end] === actors[at]) end++;
    text += actorLetter(actors[at]) + (end - at > 1 ? end - at : "");
    at = end;
  }
  return plan.size === 0 ? text : `${text}; ${planText(plan)}`;
}

export function parseSchedule(text: string): Schedule {
  const [steps, ...rest] = text.split(";");
  const packed = steps.trim();
  if (!/^([a-zA-D~]\d*)*$/.test(packed)) {
    throw new InputError("schedule", JSON.stringify(text), 'letters and counts as in "a3b~a"');
  }
  const actors: number[] = [];
  for (const [, letter, digits] of packed.matchAll(/([a-zA-D~])(\d*)/g)) {
    const actor = letter === "~" ? CLOCK : LETTERS.indexOf(letter);
    const count = digits === "" ? 1 : Number(digits);
    if (count < 1 || count > 1_000_000) {
      throw new InputError("schedule", `${letter}${digits}`, "1 to 1000000 steps in a row");
    }
    for (let step = 0; step < count; step++) actors.push(actor);
  }
  return { actors, plan: parsePlan(rest.join(";")) };
}
