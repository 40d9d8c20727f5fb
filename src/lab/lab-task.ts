/** A task of a scenario, and what its body returned. */
import { assert } from "../base/assert.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Task } from "../sched/task.ts";

export class LabTask<T> extends Task {
  private returned: { readonly value: T } | null = null;

  constructor(name: string, body: Blocking<T>) {
    // The body's generator is made before the task; it runs when the task first steps.
    const keep = (value: T): void => {
      this.returned = { value };
    };
    super(name, keepResult(body, keep));
  }

  /** What the body returned. The task must have ended. */
  get result(): T {
    assert(this.returned !== null, "the result of a task that has not ended:", this.name);
    return this.returned.value;
  }
}

function* keepResult<T>(body: Blocking<T>, keep: (value: T) => void): Blocking<void> {
  keep(yield* body);
}
