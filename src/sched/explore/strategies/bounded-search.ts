/**
 * Every schedule with at most so many preemptions, or every schedule there is.
 *
 * A preemption is a step of another actor while the last one could have gone on. Most races need
 * one or two (Musuvathi, Qadeer, "Iterative Context Bounding", PLDI 2007). The search is a walk
 * through the tree of choices, depth first; who stepped last is tried first, so that the first
 * schedule has no preemption at all.
 */
import { assert } from "../../../base/assert.ts";
import { firstActor, hasActor, type Moment, type Step, type Strategy } from "../strategy.ts";

export class BoundedSearch implements Strategy {
  readonly touches = "ignored";
  /** Some schedule had to be left out because of the bound. */
  cut = false;
  private readonly bound: number;
  /** By depth: who can step, who of them is still to be tried, who steps now. */
  private readonly enabled: number[] = [];
  private readonly untried: number[] = [];
  private readonly chosen: number[] = [];
  /** By depth: preemptions up to that step. */
  private readonly spent: number[] = [];

  constructor(bound: number = Number.POSITIVE_INFINITY) {
    this.bound = bound;
  }

  begin(): void {}

  pick({ depth, enabled, last }: Moment): number {
    const { chosen } = this;
    if (depth < chosen.length) {
      const same = this.enabled[depth] === enabled;
      assert(same, "the program is not deterministic: at step", depth + 1);
      return chosen[depth];
    }
    const goesOn = last >= 0 && hasActor(enabled, last);
    const before = depth === 0 ? 0 : this.spent[depth - 1];
    const first = goesOn ? last : firstActor(enabled);
    let others = enabled & ~(1 << first);
    if (goesOn && before >= this.bound && others !== 0) {
      this.cut = true;
      others = 0;
    }
    this.enabled.push(enabled);
    this.untried.push(others);
    this.spent.push(before);
    chosen.push(first);
    return first;
  }

  stepped(_step: Step): void {}

  end(): boolean {
    const { chosen, untried, spent, enabled } = this;
    while (chosen.length > 0) {
      const at = chosen.length - 1;
      if (untried[at] !== 0) {
        const last = at === 0 ? -1 : chosen[at - 1];
        const goesOn = last >= 0 && hasActor(enabled[at], last);
        const before = at === 0 ? 0 : spent[at - 1];
        chosen[at] = firstActor(untried[at]);
        untried[at] &= untried[at] - 1;
        spent[at] = before + (goesOn ? 1 : 0);
        return true;
      }
      chosen.pop();
      untried.pop();
      spent.pop();
      enabled.pop();
    }
    return false;
  }
}
