/**
 * Who steps next: the contract between a run and what drives it.
 *
 * A strategy sees sets of actors and what each step touched, and nothing of what the actors do.
 * For each run: `begin`, then `pick` and `stepped` in turn, then `end`. A run that failed or was
 * abandoned ends as any other.
 */
import type { Footprint } from "./touch.ts";

/** In place of an actor: this run would show nothing that others do not. */
export const ABANDON = -1;

/** What is there to choose from. */
export interface Moment {
  /** Steps taken so far. */
  readonly depth: number;
  /** Who can step, as a set of bits; never empty. */
  readonly enabled: number;
  /** Who stepped last, or -1. */
  readonly last: number;
}

/** What is known of a step once it is over. */
export interface Step {
  /** In a build that does not track what steps touch, it is empty. */
  readonly footprint: Footprint;
  /** It changed what a question of the scenario looks at, or may have. */
  readonly visible: boolean;
  /** It could only come once all before it were over: time moved on as all were asleep. */
  readonly barrier: boolean;
}

export interface Strategy {
  /** Whether it looks at footprints: recording them takes longer than most steps. */
  readonly touches: "recorded" | "ignored";
  begin(): void;
  /** One of `enabled`, or `ABANDON`. */
  pick(moment: Moment): number;
  /** The step that was picked is over; not called when it failed. */
  stepped(step: Step): void;
  /** The run is over; whether there is another one to try. */
  end(): boolean;
}

/** Whether a set of actors has `actor` in it. */
export function hasActor(actors: number, actor: number): boolean {
  return ((actors >>> actor) & 1) !== 0;
}

/** The first of a set that is not empty. */
export function firstActor(actors: number): number {
  return 31 - Math.clz32(actors & -actors);
}

export function actorCount(actors: number): number {
  let count = 0;
  for (let left = actors; left !== 0; left &= left - 1) count++;
  return count;
}
