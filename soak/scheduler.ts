/**
 * Many tasks on a few processors, interleaved at random and the same for the same seed.
 *
 * A task runs on its own processor in bursts of a few steps, as preemption is rarer than points.
 * Time moves on by itself now and then, so that input and output end while others work. Tasks that
 * came to the end of an operation rest at the gate when it is shut: once all do, the machine is in
 * the middle of nothing and can be looked at.
 */
import { assert } from "../src/base/assert.ts";
import type { Random } from "../src/base/random.ts";
import type { Memory } from "../src/memory/memory.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import type { Clock } from "../src/sched/clock.ts";
import { Task } from "../src/sched/task.ts";
import { WaitQueue } from "../src/sched/wait-queue.ts";

/** Steps of one burst, at most. */
const BURST_STEPS = 24;
/** Bursts between two that time moves on by itself. */
const TICK_CHANCE = 1 / 16;
/** Bursts without which a run is taken to go round in circles. */
const BURSTS_MAX = 2_000_000;

interface Scheduled {
  readonly task: Task;
  readonly cpu: number;
  /** Where a daemon sleeps when it has nothing to do; the gate is not for it. */
  readonly idle: WaitQueue | null;
}

export class Scheduler {
  readonly clock: Clock;
  /** Bursts so far. */
  bursts = 0;
  private readonly mem: Memory;
  private readonly random: Random;
  private readonly gate: WaitQueue = new WaitQueue("the gate");
  private isShut = false;
  private scheduled: Scheduled[] = [];

  constructor(mem: Memory, clock: Clock, random: Random) {
    this.mem = mem;
    this.clock = clock;
    this.random = random;
  }

  /** Has `operation` run again and again, as long as it says "again". */
  addWorker(name: string, cpu: number, operation: () => Blocking<"again" | "done">): void {
    this.add(name, cpu, this.work(operation), null);
  }

  /** Adds a task that never ends, and sleeps on `idle` when there is nothing to do. */
  addDaemon(name: string, cpu: number, body: Blocking<void>, idle: WaitQueue): void {
    this.add(name, cpu, body, idle);
  }

  /** Opens the gate, runs `bursts` bursts, shuts it and runs until every worker rests. */
  runEpoch(bursts: number): void {
    this.isShut = false;
    this.gate.wakeAll();
    const end = this.bursts + bursts;
    this.runUntil(() => this.bursts >= end);
    this.isShut = true;
    this.runUntil(() => this.allRest());
  }

  private add(name: string, cpu: number, body: Blocking<void>, idle: WaitQueue | null): void {
    this.scheduled.push({ task: new Task(name, body), cpu, idle });
  }

  private *work(operation: () => Blocking<"again" | "done">): Blocking<void> {
    for (;;) {
      while (this.isShut) yield this.gate;
      if ((yield* operation()) === "done") return;
      yield "operation-done";
    }
  }

  private allRest(): boolean {
    return this.scheduled.every(
      ({ task, idle }) =>
        task.state === "finished" ||
        task.queue === this.gate ||
        (idle !== null && task.queue === idle),
    );
  }

  private runUntil(isOver: () => boolean): void {
    const last = this.bursts + BURSTS_MAX;
    while (!isOver()) {
      assert(this.bursts < last, "the run goes round in circles:", this.describe());
      this.bursts++;
      if (this.random.chance(TICK_CHANCE)) this.clock.advance();
      const ready = this.scheduled.filter(({ task }) => task.state === "runnable");
      if (ready.length > 0) this.runBurst(ready[this.random.below(ready.length)]);
      else if (!this.clock.advance()) {
        assert(isOver(), "deadlock:", this.describe());
      }
    }
    // Input and output that nobody waits for ends too.
    if (this.isShut) while (this.clock.advance());
    this.scheduled = this.scheduled.filter(({ task }) => task.state !== "finished");
  }

  private runBurst({ task, cpu }: Scheduled): void {
    this.mem.cpu = cpu;
    const steps = 1 + this.random.below(BURST_STEPS);
    for (let at = 0; at < steps && task.state === "runnable"; at++) task.step();
  }

  private describe(): string {
    return this.scheduled
      .filter(({ task }) => task.queue !== this.gate)
      .map(({ task }) => `${task.name}: ${task.queue?.name ?? `at ${task.point}`}`)
      .join("; ");
  }
}
