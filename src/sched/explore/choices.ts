/**
 * Replays a deterministic program once for each sequence of choices that it can make.
 *
 * The sequence is an odometer: `taken` holds the digits and `limits` their bases; moving on means
 * adding one to the last digit that has room and forgetting those after it. After TigerBeetle's
 * `exhaustigen`.
 */
import { assert } from "../../base/assert.ts";
import { InputError } from "../../base/input-error.ts";

export class Choices {
  private readonly taken: number[];
  private readonly limits: number[];
  private depth = 0;

  /** `replay` is what `toString` gave: the run then begins with these choices. */
  constructor(replay = "") {
    this.taken = parseChoices(replay);
    this.limits = this.taken.map(() => 0);
  }

  /** Picks a number below `limit`: the replayed digit if there is one, else zero. */
  choose(limit: number): number {
    assert(limit > 0, "nothing to choose from");
    const { depth, taken, limits } = this;
    if (depth === taken.length) {
      taken.push(0);
      limits.push(limit);
    }
    if (limits[depth] === 0) limits[depth] = limit;
    assert(limits[depth] === limit, "the program is not deterministic: at choice", depth + 1);
    if (taken[depth] >= limit) {
      throw new InputError(`schedule, choice ${depth + 1}`, `${taken[depth]}`, `below ${limit}`);
    }
    this.depth++;
    return taken[depth];
  }

  /** Refuses a replayed sequence that is longer than the program's. */
  assertSpent(): void {
    const { depth, taken } = this;
    if (taken.length === depth) return;
    throw new InputError("schedule", `${taken.length} choices`, `${depth}, all that this run has`);
  }

  /** Moves to the next unseen sequence. False once every sequence has run. */
  advance(): boolean {
    this.depth = 0;
    const { taken, limits } = this;
    while (taken.length > 0) {
      const last = taken.length - 1;
      if (++taken[last] < limits[last]) return true;
      taken.pop();
      limits.pop();
    }
    return false;
  }

  /** The choices of this run: enough to replay it. */
  toString(): string {
    return this.taken.slice(0, this.depth).join(".");
  }
}

function parseChoices(replay: string): number[] {
  if (replay === "") return [];
  if (!/^\d+(\.\d+)*$/.test(replay)) {
    throw new InputError("schedule", JSON.stringify(replay), "choices as in 0.2.1");
  }
  return replay.split(".").map(Number);
}
