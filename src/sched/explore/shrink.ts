/**
 * The simplest way to see a failure: fewest choices that come out otherwise, then fewest
 * preemptions, then fewest steps.
 *
 * A schedule cannot be cut to pieces as a list can, for leaving out a step changes all that
 * follow. So each number of preemptions below that of the failure is searched anew, from none up,
 * until the failure shows; what shows is then truly the least, as far as the budget went.
 */
import { ChoicePoints, type Plan } from "./choice-points.ts";
import type { Start } from "./program.ts";
import { runSchedule } from "./run-schedule.ts";
import type { Failure } from "./search.ts";
import { BoundedSearch } from "./strategies/bounded-search.ts";
import { Replay } from "./strategies/replay.ts";
import { hasActor, type Moment } from "./strategy.ts";

export interface ShrinkOptions {
  readonly maxSteps: number;
  /** Runs for each number of preemptions. */
  readonly maxSchedules: number;
  readonly maxSeconds: number;
}

export const SHRINK_DEFAULTS: ShrinkOptions = { maxSteps: 5000, maxSchedules: 3000, maxSeconds: 3 };

/** What two failures have in common if they are the same: all but the numbers. */
export function signature(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\d+/g, "N");
}

/** A failure of the same signature that is as simple as could be found. */
export function shrink(start: Start, failure: Failure, options: ShrinkOptions): Failure {
  const deadline = performance.now() + options.maxSeconds * 1000;
  let best = withFewerChoices(start, failure, options);
  const wanted = preemptionsOf(start, best, options);
  for (let bound = 0; bound <= wanted && performance.now() < deadline; bound++) {
    const found = simplestWithin(start, best, bound, options, deadline);
    if (found === null) continue;
    best = found;
    break;
  }
  return best;
}

/** Leaves out each choice without which it fails as well. */
function withFewerChoices(start: Start, failure: Failure, options: ShrinkOptions): Failure {
  let best = failure;
  for (const key of failure.plan.keys()) {
    const plan = new Map(best.plan);
    plan.delete(key);
    const again = replay(start, best.actors, plan, options);
    if (again !== null && signature(again.error) === signature(failure.error)) best = again;
  }
  return best;
}

function replay(
  start: Start,
  actors: readonly number[],
  plan: Plan,
  { maxSteps }: ShrinkOptions,
): Failure | null {
  const end = runSchedule(start, new Replay(actors), new ChoicePoints(plan), maxSteps);
  return end.end === "failed" ? end : null;
}

/** The failure with the fewest steps among those with at most `bound` preemptions. */
function simplestWithin(
  start: Start,
  { error, plan }: Failure,
  bound: number,
  { maxSteps, maxSchedules }: ShrinkOptions,
  deadline: number,
): Failure | null {
  const search = new BoundedSearch(bound);
  const wanted = signature(error);
  let best: Failure | null = null;
  for (let runs = 0, more = true; more && runs < maxSchedules; runs++) {
    const end = runSchedule(start, search, new ChoicePoints(plan), maxSteps);
    const isShorter = best === null || end.actors.length < best.actors.length;
    if (end.end === "failed" && signature(end.error) === wanted && isShorter) best = end;
    more = search.end() && performance.now() < deadline;
  }
  return best;
}

/** How often somebody stepped while the one before could have gone on. */
function preemptionsOf(
  start: Start,
  { actors, plan }: Failure,
  { maxSteps }: ShrinkOptions,
): number {
  const counting = new CountingReplay(actors);
  runSchedule(start, counting, new ChoicePoints(plan), maxSteps);
  return counting.preemptions;
}

class CountingReplay extends Replay {
  preemptions = 0;

  override pick(moment: Moment): number {
    const next = super.pick(moment);
    const { last, enabled } = moment;
    if (last >= 0 && next !== last && hasActor(enabled, last)) this.preemptions++;
    return next;
  }
}
