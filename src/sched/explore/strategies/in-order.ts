/**
 * Tasks one after another, each to its end or its sleep: what a test without an explorer runs.
 *
 * One run for each order of the first tasks. A mistake that shows here is no race.
 */
import { CLOCK } from "../program.ts";
import { firstActor, hasActor, type Moment, type Step, type Strategy } from "../strategy.ts";

/** More tasks than this keep the order in which they were made. */
const ORDERED = 5;

export class InOrder implements Strategy {
  readonly touches = "ignored";
  private orders: number[][] | null = null;
  private at = 0;

  begin(): void {}

  pick({ enabled, depth, last }: Moment): number {
    if (depth === 0) this.orders ??= permutations(actorsIn(enabled).slice(0, ORDERED));
    if (last >= 0 && last !== CLOCK && hasActor(enabled, last)) return last;
    const order = this.orders?.[this.at] ?? [];
    return order.find((actor) => hasActor(enabled, actor)) ?? firstActor(enabled);
  }

  stepped(_step: Step): void {}

  end(): boolean {
    this.at++;
    return this.at < (this.orders?.length ?? 0);
  }
}

function actorsIn(enabled: number): number[] {
  const actors: number[] = [];
  for (let left = enabled & ~(1 << CLOCK); left !== 0; left &= left - 1) {
    actors.push(firstActor(left));
  }
  return actors;
}

/** Every order of a few items, the given one first. */
export function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
