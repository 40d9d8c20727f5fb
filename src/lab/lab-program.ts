/**
 * A scenario as a program that can be explored: one fresh lab for each run.
 */
import { assert, InvariantError } from "../base/assert.ts";
import { CLOCK, type Program, type Start } from "../sched/explore/program.ts";
import { Task } from "../sched/task.ts";
import { finalState } from "./final-state.ts";
import { Lab } from "./lab.ts";
import type { Scenario } from "./scenario.ts";
import type { LabSession } from "./session.ts";

/** How runs of `scenario` begin; `session` lasts over all of them. */
export function programOf(scenario: Scenario, session: LabSession): Start {
  return (choices) => new LabProgram(scenario, new Lab(choices, session), session);
}

/** Also what a teller looks into: the lab has the machines. */
export class LabProgram implements Program {
  readonly lab: Lab;
  readonly interrupts: boolean;
  private readonly body: Task;
  private readonly session: LabSession;

  constructor(scenario: Scenario, lab: Lab, session: LabSession) {
    this.lab = lab;
    this.interrupts = scenario.interrupts;
    this.session = session;
    this.body = new Task("scenario", scenario.body(lab));
    this.runBody();
  }

  get tasks(): readonly Task[] {
    return this.lab.tasks;
  }

  get clock(): Lab["clock"] {
    return this.lab.clock;
  }

  isDaemon(task: Task): boolean {
    return this.lab.isDaemon(task);
  }

  afterStep(actor: number): void {
    const task = actor === CLOCK ? null : this.tasks[actor];
    this.lab.afterStep(task);
    if (task !== null && task.point !== "") this.session.coverage.countPoint(task.name, task.point);
  }

  look(): void {
    this.lab.look();
  }

  finish(): void {
    const { body, lab, session } = this;
    session.finalStates?.add(finalState(lab.machines));
    if (body.state === "asleep") {
      lab.tasksEnded.wakeAll();
      this.runBody();
    }
    assert(body.state === "finished", "a scenario runs its tasks once");
    lab.finish();
  }

  /** To its end, or to where it waits for the tasks. */
  private runBody(): void {
    const { body, lab } = this;
    while (body.state !== "finished" && body.queue !== lab.tasksEnded) {
      if (body.state === "runnable") body.step();
      else if (!lab.clock.advance()) {
        throw new InvariantError(`the scenario itself sleeps for ever on: ${body.queue?.name}`);
      }
    }
  }
}
