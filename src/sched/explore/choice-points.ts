/**
 * Choices that a run makes beside who steps next: does this allocation fail, which value is tried.
 *
 * A choice is named by who makes it, by what it is about, and by the how manieth of that name it is
 * for that task, so that it keeps its name in another schedule. Zero is what happens by default; a
 * plan names the choices that come out otherwise. A search therefore explores all schedules of one
 * plan, then adds to the plan one choice of those that it met: with a fixed plan, only the schedule
 * is open, and a reduction of schedules stays sound.
 */
import { assert } from "../../base/assert.ts";
import { InputError } from "../../base/input-error.ts";

/** "fault": something goes wrong, and a search allows few at a time. "value": any may be tried. */
export type ChoiceKind = "fault" | "value";

/** One choice that came up in a run. */
export interface MetChoice {
  readonly key: string;
  readonly kind: ChoiceKind;
  readonly limit: number;
}

/** By key: what is chosen instead of zero. */
export type Plan = ReadonlyMap<string, number>;

/** Answers a choice that no plan names. */
export type Chooser = (choice: MetChoice) => number;

const byDefault: Chooser = () => 0;

export class ChoicePoints {
  /** Who steps now; the run keeps it. */
  actor = "start";
  /** Counts how often another actor came on; the run keeps it. */
  turn = 0;
  /** In the order in which they came up. */
  readonly met: MetChoice[] = [];
  /** What came out otherwise than by default: the plan that repeats this run. */
  readonly taken: Map<string, number> = new Map();
  private readonly plan: Plan;
  private readonly otherwise: Chooser;
  private readonly counts: Map<string, number> = new Map();

  constructor(plan: Plan = new Map(), otherwise: Chooser = byDefault) {
    this.plan = plan;
    this.otherwise = otherwise;
  }

  /** A number below `limit`. `about` says in words what is chosen; it has no "#", "=" or ",". */
  choose(kind: ChoiceKind, about: string, limit: number): number {
    assert(limit > 0, "nothing to choose from:", about);
    const name = `${this.actor}: ${about}`;
    const count = (this.counts.get(name) ?? 0) + 1;
    this.counts.set(name, count);
    const choice = { key: `${name} #${count}`, kind, limit };
    this.met.push(choice);
    const chosen = this.plan.get(choice.key) ?? this.otherwise(choice);
    if (chosen >= limit) throw new InputError(choice.key, `${chosen}`, `below ${limit}`);
    if (chosen !== 0) this.taken.set(choice.key, chosen);
    return chosen;
  }
}

/** One line, with the choices in the order of their names; "" for the plan without any. */
export function planText(plan: Plan): string {
  return [...plan]
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(", ");
}

export function parsePlan(text: string): Plan {
  if (text.trim() === "") return new Map();
  return new Map(
    text.split(",").map((part): [string, number] => {
      const match = /^\s*(.+ #\d+)=(\d+)\s*$/.exec(part);
      if (match === null) {
        throw new InputError("choices", JSON.stringify(part), 'as in "mover: allocation #2=1"');
      }
      return [match[1], Number(match[2])];
    }),
  );
}
