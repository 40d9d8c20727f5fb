/**
 * A sentence of a call record's `setup`, and what it makes of the world.
 *
 * Each subject has a file with its list of sentences; `set-up.ts` joins them and tries them in
 * order. A sentence is generic: it names no record, and it makes only what it says.
 */
import { type CallWorld, NotMade, type Region } from "../call-world.ts";

export interface Sentence {
  readonly sentence: RegExp;
  readonly make: (world: CallWorld, groups: Named) => void;
}

/** The named groups of a sentence. */
export type Named = Readonly<Record<string, string>>;

/** `text` as a regular expression, NAME standing for a region's name. */
export function sentence(text: string, make: (world: CallWorld, groups: Named) => void): Sentence {
  return { sentence: new RegExp(text.replace("NAME", "(?<name>[A-Z]+\\d*)")), make };
}

/** A sentence that tells what is so, or is said elsewhere, and makes nothing. */
export function tells(text: string): Sentence {
  return sentence(text, makeNothing);
}

export function makesNothing({ make }: Sentence): boolean {
  return make === makeNothing;
}

function makeNothing(): void {
  // What it tells is so already.
}

/** "0,2,5" as numbers. */
export function numbers(list: string): number[] {
  return list.split(",").map(Number);
}

/** The region that a clause without a name is about. Throws `NotMade` if there is none. */
export function current(world: CallWorld): Region {
  if (world.current !== null) return world.current;
  throw new NotMade("setup", "a clause without a name", "a clause that names a region before it");
}
