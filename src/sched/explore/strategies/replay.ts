/**
 * One schedule again, as far as it fits: code may have changed since it was written down.
 *
 * Where the actor that it names cannot step, or where it ends, the run goes on without it: who
 * stepped last goes on, else the first who can.
 */
import { firstActor, hasActor, type Moment, type Step, type Strategy } from "../strategy.ts";

export class Replay implements Strategy {
  readonly touches = "ignored";
  /** Steps that were taken as the schedule says. */
  followed = 0;
  private readonly actors: readonly number[];
  private fits = true;

  constructor(actors: readonly number[]) {
    this.actors = actors;
  }

  /** Whether the whole schedule was followed. */
  get complete(): boolean {
    return this.followed === this.actors.length;
  }

  begin(): void {
    this.followed = 0;
    this.fits = true;
  }

  pick({ depth, enabled, last }: Moment): number {
    if (this.fits && depth < this.actors.length) {
      const wanted = this.actors[depth];
      if (hasActor(enabled, wanted)) {
        this.followed++;
        return wanted;
      }
      this.fits = false;
    }
    return last >= 0 && hasActor(enabled, last) ? last : firstActor(enabled);
  }

  stepped(_step: Step): void {}

  end(): boolean {
    return false;
  }
}
