/**
 * Probabilistic concurrency testing: priorities by lot, and a few places where they change.
 *
 * The actor of the highest priority steps until it sleeps; at `depth` - 1 steps that were drawn
 * beforehand the one about to step falls to the lowest. A bug that needs `depth` steps in one
 * order is met in a run with a chance of at least 1 / (actors * steps ^ (depth - 1)) (Burckhardt,
 * Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
 * Finding Bugs", ASPLOS 2010). The length of the longest run so far stands for the steps.
 */
import type { Random } from "../../../base/random.ts";
import { firstActor, type Moment, type Step, type Strategy } from "../strategy.ts";

export class Pct implements Strategy {
  readonly touches = "ignored";
  private readonly random: Random;
  private readonly depth: number;
  private longest = 1;
  private steps = 0;
  /** By actor; drawn when it is first seen in a run. */
  private readonly priority = new Map<number, number>();
  private readonly changes = new Set<number>();
  private lowest = 0;

  constructor(random: Random, depth: number) {
    this.random = random;
    this.depth = depth;
  }

  begin(): void {
    this.steps = 0;
    this.lowest = 0;
    this.priority.clear();
    this.changes.clear();
    for (let at = 1; at < this.depth; at++) this.changes.add(this.random.below(this.longest));
  }

  pick({ enabled }: Moment): number {
    const { priority } = this;
    if (this.changes.has(this.steps)) priority.set(this.highest(enabled), --this.lowest);
    return this.highest(enabled);
  }

  stepped(_step: Step): void {
    this.steps++;
    this.longest = Math.max(this.longest, this.steps);
  }

  end(): boolean {
    return true;
  }

  private highest(enabled: number): number {
    let best = -1;
    for (let left = enabled; left !== 0; left &= left - 1) {
      const actor = firstActor(left);
      if (best < 0 || this.priorityOf(actor) > this.priorityOf(best)) best = actor;
    }
    return best;
  }

  private priorityOf(actor: number): number {
    const known = this.priority.get(actor);
    if (known !== undefined) return known;
    const drawn = 1 + this.random.below(0x4000_0000);
    this.priority.set(actor, drawn);
    return drawn;
  }
}
