/** Each step by whoever comes up, with equal chances; for ever. */
import type { Random } from "../../../base/random.ts";
import { actorCount, firstActor, type Moment, type Step, type Strategy } from "../strategy.ts";

export class RandomWalk implements Strategy {
  readonly touches = "ignored";
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  begin(): void {}

  pick({ enabled }: Moment): number {
    let left = enabled;
    for (let skip = this.random.below(actorCount(enabled)); skip > 0; skip--) left &= left - 1;
    return firstActor(left);
  }

  stepped(_step: Step): void {}

  end(): boolean {
    return true;
  }
}
