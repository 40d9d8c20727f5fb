/**
 * Sleeping until woken, but no longer than so many nanoseconds.
 *
 * A task that is alone may sleep so: nothing else can run, so time moves on to the next event, in
 * the build for run-to-end too. Linux: `schedule_timeout()` on a wait queue.
 */
import type { Blocking } from "./blocking.ts";
import type { Clock } from "./clock.ts";
import { WaitQueue } from "./wait-queue.ts";

/** How it ended. */
export type TimedWaitEnd = "woken" | "timeout";

/** Sleeps on `queue`. */
export function* waitTimeout(
  queue: WaitQueue,
  clock: Clock,
  nanoseconds: number,
): Blocking<TimedWaitEnd> {
  const wait = new TimedWait(queue, clock, nanoseconds);
  const ofOne: WaitQueue = wait;
  yield ofOne;
  return wait.end ?? "woken";
}

/** One sleeper. Whatever wakes it, the other no longer does. */
class TimedWait extends WaitQueue {
  end: TimedWaitEnd | null = null;
  private readonly clock: Clock;

  constructor(queue: WaitQueue, clock: Clock, nanoseconds: number) {
    super(queue.name);
    this.clock = clock;
    queue.join(this);
    clock.after(nanoseconds, () => {
      if (this.end !== null) return;
      this.end = "timeout";
      queue.leave(this);
      super.wakeAll();
    });
  }

  override wakeAll(): void {
    this.end ??= "woken";
    super.wakeAll();
  }

  override wouldSleep(): void {
    while (this.end === null && this.clock.advance());
  }
}
