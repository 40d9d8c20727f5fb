/**
 * What a scenario has in hand during one run: machines, tasks, questions, choices.
 *
 * Life cycle of a run: the body sets the scene -> `run` -> the tasks step -> the rest of the body
 * -> every machine is checked and taken down. The lab keeps nothing from one run to the next but
 * what its `Coverage` counts.
 */
import { InvariantError } from "../base/assert.ts";
import type { Features } from "../base/features.ts";
import { checkInvariants } from "../machine/invariants.ts";
import type { Machine } from "../machine/machine.ts";
import { smallMachine } from "../machine/small-machine.ts";
import { teardown } from "../machine/teardown.ts";
import { lruAddDrainAll } from "../memory/lru.ts";
import type { SmallMemoryShape } from "../memory/small-memory.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Clock } from "../sched/clock.ts";
import type { ChoicePoints } from "../sched/explore/choice-points.ts";
import { runToEnd } from "../sched/run.ts";
import type { Task } from "../sched/task.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { CheckError } from "./check-error.ts";
import { contractChecks } from "./checkers/contract-checks.ts";
import { assertNothingLocked } from "./checkers/end-checks.ts";
import { Shadow } from "./checkers/shadow.ts";
import { StepWatch } from "./checkers/step-watch.ts";
import { type FaultKinds, installFaults } from "./faults.ts";
import { LabDevice, type LabDeviceOptions } from "./lab-device.ts";
import { LabTask } from "./lab-task.ts";
import type { LabSession } from "./session.ts";

/** Looks at a machine after each step; throws where a rule is broken. */
export interface StepChecker {
  afterStep(task: Task | null): void;
}

export interface LabMachineOptions {
  readonly features?: Features;
  /** False: the scenario leaves the machine as nobody may, and says so. */
  readonly checked?: boolean;
}

export class Lab {
  readonly clock: Clock = new Clock();
  readonly tasks: Task[] = [];
  readonly machines: Machine[] = [];
  /** Whether the tasks run: the scene is set, and nothing is looked at yet. */
  isRunning = false;
  /** Asked after each step. */
  readonly checkers: StepChecker[] = [];
  /** The body sleeps here while the tasks run. */
  readonly tasksEnded: WaitQueue = new WaitQueue("the end of all tasks");
  private readonly choices: ChoicePoints;
  private readonly session: LabSession;
  private keptMachines = 0;
  private readonly checked: Machine[] = [];
  /** One for each machine that is checked, in their order. */
  private readonly watches: StepWatch[] = [];
  private readonly shadows: Shadow[] = [];
  private readonly daemons: Set<Task> = new Set();
  private readonly questions: { name: string; holds: () => boolean }[] = [];

  constructor(choices: ChoicePoints, session: LabSession) {
    this.choices = choices;
    this.session = session;
  }

  /** A machine of 64 free frames, or what `shape` says, on the lab's clock; checked at the end. */
  machine(shape?: SmallMemoryShape, options: LabMachineOptions = {}): Machine {
    const machine = smallMachine(shape, options.features, this.clock);
    this.machines.push(machine);
    if (options.checked !== false) {
      machine.vm.cache.ownerChecks = contractChecks(this.choices);
      this.watches.push(new StepWatch(machine.mem, this.tasks));
      this.checked.push(machine);
    }
    return machine;
  }

  /**
   * The same machine in each run of a search, its columns as they were at first. For scenarios
   * that change nothing else of it, which is checked when the search is over.
   */
  keptMachine(shape?: SmallMemoryShape): Machine {
    const machine = this.session.keep(this.keptMachines++, shape).restore();
    this.machines.push(machine);
    return machine;
  }

  /** A task that begins with `run`, or at once if that is over; must end in every schedule. */
  task<T>(name: string, body: Blocking<T> | (() => Blocking<T>)): LabTask<T> {
    const task = new LabTask(name, typeof body === "function" ? body() : body);
    this.tasks.push(task);
    return task;
  }

  /** A task that serves the others, and may sleep when they have ended. */
  daemon(name: string, body: Blocking<void> | (() => Blocking<void>)): LabTask<void> {
    const task = this.task(name, body);
    this.daemons.add(task);
    return task;
  }

  /** Runs every task to its end, as the schedule says. Called once. */
  *run(): Blocking<void> {
    this.isRunning = true;
    for (const watch of this.watches) watch.begin();
    yield this.tasksEnded;
    this.isRunning = false;
  }

  /** Fails the run, and with it the scenario, if `holds` is false. */
  check(holds: boolean, text: string, ...context: readonly unknown[]): void {
    if (!holds) throw new CheckError([text, ...context.map(String)].join(" "));
  }

  /**
   * A state that some schedule must reach: one in which `holds` is true after a step. A search that
   * was complete and never saw it fails: the scenario does not test what it says.
   */
  reachable(name: string, holds: () => boolean): void {
    this.session.coverage.expect(name);
    this.questions.push({ name, holds });
  }

  /** Counts what came of the run, in words. */
  outcome(text: string): void {
    this.session.coverage.countOutcome(text);
  }

  /** Any of `values` may be tried: one run has one of them. The first is the default. */
  choose<T>(about: string, values: readonly T[]): T {
    return values[this.choices.choose("value", about, values.length)];
  }

  /** Whether something goes wrong here that can: false in most runs. */
  fault(about: string): boolean {
    return this.choices.choose("fault", about, 2) === 1;
  }

  /** What may go wrong on `machine` while the tasks run, each time that it can: one fault each. */
  faults(machine: Machine, kinds: FaultKinds): void {
    installFaults(this, machine, kinds);
  }

  /** A block device in memory on which a request takes a while, and may fail while tasks run. */
  device(machine: Machine, options: LabDeviceOptions = {}): LabDevice {
    return new LabDevice(this, machine.mem, options);
  }

  /** Remembers what tasks write through it; at the end it must all be there. */
  shadow(machine: Machine): Shadow {
    const shadow = new Shadow(machine);
    this.shadows.push(shadow);
    return shadow;
  }

  /**
   * A task that comes in between in some runs only, which counts as a fault: `pins`, `speculates`,
   * `reclaims`, `truncates`, `wakesEarly`, or a body of your own.
   */
  disturb(about: string, body: Blocking<void>): void {
    if (this.fault(about)) this.task(about, body);
  }

  isDaemon(task: Task): boolean {
    return this.daemons.has(task);
  }

  afterStep(task: Task | null): void {
    for (const watch of this.watches) watch.afterStep(task);
    for (const checker of this.checkers) checker.afterStep(task);
  }

  /** Asks every question. */
  look(): void {
    for (const { name, holds } of this.questions) if (holds()) this.session.coverage.reached(name);
  }

  /** Once the body has ended: the machines are whole, and come down without a leak. */
  finish(): void {
    for (const shadow of this.shadows) runToEnd(shadow.checkAll());
    for (const [at, machine] of this.checked.entries()) {
      assertNothingLocked(machine, this.watches[at]);
      lruAddDrainAll(machine.mem);
      checkInvariants(machine);
      teardown(machine);
    }
    for (const task of this.tasks) {
      const isOver = task.state === "finished" || this.isDaemon(task);
      if (!isOver) throw new InvariantError(`${task.name} never ran: yield* lab.run()`);
    }
  }
}
