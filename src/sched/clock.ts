/**
 * Virtual time: what is due happens in order of its due time, then of its making.
 *
 * Time stands still while any task can run. A scheduler that finds every task asleep calls
 * `advance`, which jumps to the next due event; a machine is therefore as fast as its work and a
 * run with the same choices has the same times. Linux: timers and jiffies, in nanoseconds.
 */
import { assert } from "../base/assert.ts";

interface Event {
  readonly due: number;
  readonly sequence: number;
  readonly run: () => void;
}

export class Clock {
  /** Nanoseconds since the machine was made. */
  now = 0;
  private sequence = 0;
  /** Sorted by due time, latest first, so that the next one is popped. */
  private readonly events: Event[] = [];

  /** Has `run` called `nanoseconds` from now. Never called from within `after` itself. */
  after(nanoseconds: number, run: () => void): void {
    assert(nanoseconds >= 0, "an event in the past:", nanoseconds);
    const event = { due: this.now + nanoseconds, sequence: this.sequence++, run };
    let at = this.events.length;
    while (at > 0 && isLater(event, this.events[at - 1])) at--;
    this.events.splice(at, 0, event);
  }

  /** Whether anything is to come. */
  get isDue(): boolean {
    return this.events.length > 0;
  }

  /** Jumps to the next event and runs it. False when nothing is due, ever. */
  advance(): boolean {
    const event = this.events.pop();
    if (event === undefined) return false;
    this.now = event.due;
    event.run();
    return true;
  }
}

function isLater(a: Event, b: Event): boolean {
  return a.due > b.due || (a.due === b.due && a.sequence > b.sequence);
}
