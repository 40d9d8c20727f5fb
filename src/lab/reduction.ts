/** One scenario searched with the reduction and without, and whether the two agree. */
import type { Exploration } from "./explore-scenario.ts";

export interface Reduction {
  readonly name: string;
  /** One schedule of each kind. */
  readonly reduced: Exploration;
  /** Every schedule, as far as its budget went. */
  readonly all: Exploration;
}

/** "unknown": neither search was complete. */
export type Agreement = "same" | "differ" | "unknown";

/** Whether both saw runs end in the same states, as far as the searches went. */
export function agreement({ reduced, all }: Reduction): Agreement {
  const [few, many] = [new Set(reduced.finalStates), new Set(all.finalStates)];
  const isSubset = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
    [...a].every((state) => b.has(state));
  if (reduced.complete && !isSubset(many, few)) return "differ";
  if (all.complete && !isSubset(few, many)) return "differ";
  return reduced.complete || all.complete ? "same" : "unknown";
}
