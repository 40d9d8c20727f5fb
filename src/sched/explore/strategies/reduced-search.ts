/**
 * Every schedule that can differ from the others: dynamic partial-order reduction.
 *
 * Two steps that touch nothing in common, or only read it, give the same state in either order.
 * Schedules that differ by swapping such neighbours are one kind, and one of each kind is enough
 * for every deadlock, every failed assertion of a task and every state at the end. Steps that
 * change what a question of the scenario looks at count as dependent on each other, so that the
 * question sees what it would in all schedules.
 *
 * Source sets and sleep sets (Abdulla, Aronsson, Jonsson, Sagonas, "Optimal Dynamic Partial Order
 * Reduction", POPL 2014, algorithm 1). In a run, step j happens before step i if both are of one
 * actor, or j made the actor of i able to run, or they conflict, or by way of a third. Two
 * conflicting steps with nothing between them are a race: at j somebody must be tried who can
 * begin a run in which i comes first. An actor that was tried at a node sleeps in the runs after
 * it until somebody takes a step that conflicts with its own.
 */
import { assert } from "../../../base/assert.ts";
import {
  ABANDON,
  firstActor,
  hasActor,
  type Moment,
  type Step,
  type Strategy,
} from "../strategy.ts";
import { objectsSeen } from "../touch.ts";

const ACTORS = 31;

/** One step of the present run, and what is still to be tried in its place. */
interface Node {
  readonly enabled: number;
  /** Objects with a higher number do not exist yet: no other actor can touch them. */
  readonly objects: number;
  /** Who need not step here, and what its step would touch. */
  readonly sleep: Map<number, Step>;
  chosen: number;
  /** All that are or were to be chosen. */
  backtrack: number;
  /** All that were. */
  done: number;
  step: Step | null;
  /** By actor: its steps, counted from the first, that happen before this one or are it. */
  readonly order: Int32Array;
}

export class ReducedSearch implements Strategy {
  readonly touches = "recorded";
  /** Runs that were cut short because others show the same. */
  abandoned = 0;
  private readonly nodes: Node[] = [];
  /** Nodes that the present run repeats as they are. */
  private repeated = 0;
  private depth = 0;
  /** By actor: the depth of its last step in this run, and of the step that made it able to run. */
  private readonly lastStep = new Int32Array(ACTORS);
  private readonly enabledBy = new Int32Array(ACTORS);

  begin(): void {
    this.depth = 0;
    this.lastStep.fill(-1);
    this.enabledBy.fill(-1);
  }

  pick(moment: Moment): number {
    const { enabled } = moment;
    this.depth = moment.depth;
    this.noteEnabled(enabled);
    if (this.depth < this.nodes.length) {
      const node = this.nodes[this.depth];
      assert(node.enabled === enabled, "the program is not deterministic: at step", this.depth + 1);
      return node.chosen;
    }
    const sleep = this.sleepBelow();
    const awake = enabled & ~actorsOf(sleep);
    if (awake === 0) {
      this.abandoned++;
      return ABANDON;
    }
    const { last } = moment;
    const chosen = last >= 0 && hasActor(awake, last) ? last : firstActor(awake);
    this.nodes.push({
      enabled,
      objects: objectsSeen(),
      sleep,
      chosen,
      backtrack: 1 << chosen,
      done: 0,
      step: null,
      order: new Int32Array(ACTORS),
    });
    return chosen;
  }

  stepped(step: Step): void {
    const { depth, nodes } = this;
    const node = nodes[depth];
    if (depth >= this.repeated) {
      node.step = step;
      this.orderStep(depth);
    }
    this.lastStep[node.chosen] = depth;
  }

  end(): boolean {
    const { nodes } = this;
    for (let node = nodes.at(-1); node !== undefined; node = nodes.at(-1)) {
      const { chosen, step, sleep } = node;
      node.done |= 1 << chosen;
      // A step that failed has touched who knows what: it sleeps in no other run.
      if (step !== null) {
        sleep.set(chosen, { ...step, footprint: step.footprint.before(node.objects) });
      }
      const left = node.backtrack & ~node.done & ~actorsOf(sleep);
      if (left !== 0) {
        node.chosen = firstActor(left);
        node.step = null;
        this.repeated = nodes.length - 1;
        return true;
      }
      nodes.pop();
    }
    return false;
  }

  /** Whoever can step now and could not before the last step was made able by it. */
  private noteEnabled(enabled: number): void {
    if (this.depth === 0) return;
    const before = this.nodes[this.depth - 1].enabled;
    for (let left = enabled & ~before; left !== 0; left &= left - 1) {
      this.enabledBy[firstActor(left)] = this.depth - 1;
    }
  }

  /** Who sleeps after the last step: those who did before it and whose step does not conflict. */
  private sleepBelow(): Map<number, Step> {
    const sleep = new Map<number, Step>();
    const parent = this.nodes.at(-1);
    if (parent === undefined || parent.step === null) return sleep;
    for (const [actor, step] of parent.sleep) {
      if (actor !== parent.chosen && !conflict(step, parent.step)) sleep.set(actor, step);
    }
    return sleep;
  }

  /** Finds what happens before the step at `at`, and the races in which it is the later one. */
  private orderStep(at: number): void {
    const { nodes, lastStep, enabledBy } = this;
    const { chosen: actor, step, order } = nodes[at];
    order.fill(0);
    if (step === null) return;
    if (lastStep[actor] >= 0) join(order, nodes[lastStep[actor]].order);
    if (enabledBy[actor] >= 0) join(order, nodes[enabledBy[actor]].order);
    for (let j = at - 1; j >= 0; j--) {
      const earlier = nodes[j];
      if (order[earlier.chosen] > j || earlier.step === null) continue;
      if (!conflict(earlier.step, step)) continue;
      this.reverse(j, at, order);
      join(order, earlier.order);
    }
    order[actor] = at + 1;
  }

  /** Has somebody tried at `j` who can begin a run in which the step at `at` comes before that. */
  private reverse(j: number, at: number, orderOfLast: Int32Array): void {
    const { nodes } = this;
    const node = nodes[j];
    let initials = 0;
    let seen = 0;
    for (let k = j + 1; k <= at; k++) {
      const { chosen } = nodes[k];
      const order = k === at ? orderOfLast : nodes[k].order;
      if (k !== at && order[node.chosen] > j) continue;
      if (!hasActor(seen, chosen) && !this.followsAny(j + 1, k, order, node.chosen, j)) {
        initials |= 1 << chosen;
      }
      seen |= 1 << chosen;
    }
    if ((initials & (node.backtrack | actorsOf(node.sleep))) !== 0) return;
    initials &= node.enabled;
    if (initials === 0) return;
    const { chosen } = nodes[at];
    node.backtrack |= 1 << (hasActor(initials, chosen) ? chosen : firstActor(initials));
  }

  /** Whether a step between, itself not after the step at `j`, happens before the one at `k`. */
  private followsAny(
    from: number,
    k: number,
    order: Int32Array,
    actorOfJ: number,
    j: number,
  ): boolean {
    for (let m = from; m < k; m++) {
      const between = this.nodes[m];
      if (between.order[actorOfJ] > j) continue;
      if (order[between.chosen] > m) return true;
    }
    return false;
  }
}

function conflict(a: Step, b: Step): boolean {
  if (a.barrier || b.barrier || (a.visible && b.visible)) return true;
  return a.footprint.conflictsWith(b.footprint);
}

function actorsOf(sleep: ReadonlyMap<number, Step>): number {
  let actors = 0;
  for (const actor of sleep.keys()) actors |= 1 << actor;
  return actors;
}

function join(order: Int32Array, other: Int32Array): void {
  for (let actor = 0; actor < ACTORS; actor++) {
    if (other[actor] > order[actor]) order[actor] = other[actor];
  }
}
