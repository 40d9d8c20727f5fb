/**
 * Where tasks sleep until some condition may have changed.
 *
 * A wake-up is a hint: whoever wakes must test its condition again and sleep again if it lost.
 * Linux: `wait_queue_head_t`.
 */
import type { Task } from "./task.ts";

/** The build for run-to-end met a condition that only another task could change. */
export class WouldSleepError extends Error {
  override readonly name = "WouldSleepError";
  /** The queue's name. */
  readonly queue: string;

  constructor(queue: string) {
    super(`run-to-end has one task, and it would sleep on: ${queue}`);
    this.queue = queue;
  }
}

export class WaitQueue {
  /** What its sleepers wait for; shown in a deadlock report. */
  readonly name: string;
  private sleepers: Task[] = [];
  /** Queues of single sleepers who may also be woken otherwise, as by a timer. */
  private members: WaitQueue[] | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /** Called by the scheduler alone, when a task has yielded this queue. */
  add(task: Task): void {
    this.sleepers.push(task);
  }

  wakeAll(): void {
    if (this.empty) return;
    const { sleepers: woken, members } = this;
    this.sleepers = [];
    this.members = null;
    for (const task of woken) task.wake();
    for (const member of members ?? []) member.wakeAll();
  }

  get empty(): boolean {
    return this.sleepers.length === 0 && this.members === null;
  }

  /** Has `member` woken with this queue, once. */
  join(member: WaitQueue): void {
    this.members ??= [];
    this.members.push(member);
  }

  leave(member: WaitQueue): void {
    const left = this.members?.filter((other) => other !== member) ?? [];
    this.members = left.length === 0 ? null : left;
  }

  /**
   * What `yield queue` becomes in the build for run-to-end: throws, unless the wait ends by itself.
   */
  wouldSleep(): void {
    throw new WouldSleepError(this.name);
  }
}

/**
 * Where a processor that spins for a lock stands: it does not give itself up, so this is allowed
 * where sleep is not. One task alone would spin for ever, which the build for run-to-end refuses.
 */
export class SpinQueue extends WaitQueue {
  readonly spins = true;
}
