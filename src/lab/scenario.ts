/**
 * A scenario: a short story of a few tasks on a small machine, to be run under every schedule.
 *
 *     export default scenario("a fault waits for the move of its page", function* (lab) {
 *       const machine = lab.machine();
 *       const page = anonymousPage(machine.vm, 7);
 *       const mover = lab.task("mover", moveFolio(machine, page.folio));
 *       const process = lab.task("process", readWord(machine, page));
 *       yield* lab.run();
 *       lab.check(process.result === 7, "the process reads another's page");
 *       lab.outcome(mover.result);
 *     });
 *
 * What stands before `lab.run()` sets the scene, and is the same in each run. Then the tasks step
 * as the schedule says. What stands behind it looks at what came of it, with every task at its end.
 * A scenario must make its world anew each time it is called, and use no time and no randomness
 * but the lab's.
 */
import type { Blocking } from "../sched/blocking.ts";
import type { Lab } from "./lab.ts";

export interface ScenarioOptions {
  /**
   * Whether what is due (ends of I/O, timeouts) may come at any time, as interrupts do; otherwise
   * it comes when all tasks sleep. Default: true.
   */
  readonly interrupts?: boolean;
}

export interface Scenario {
  readonly kind: "scenario";
  readonly name: string;
  readonly body: (lab: Lab) => Blocking<void>;
  readonly interrupts: boolean;
}

/** Declares a scenario; `name` says what holds under every schedule. */
export function scenario(
  name: string,
  body: (lab: Lab) => Blocking<void>,
  options: ScenarioOptions = {},
): Scenario {
  return { kind: "scenario", name, body, interrupts: options.interrupts ?? true };
}

/** Whether a value that a module exports is a scenario. */
export function isScenario(value: unknown): value is Scenario {
  return (
    typeof value === "object" && value !== null && "kind" in value && value.kind === "scenario"
  );
}

/**
 * A mistake, as data: a text that occurs once in one file, and what stands there instead. It is put
 * into a build made for one run; the engine has no switches for mistakes.
 */
export interface Mutant {
  /** The mistake, as a sentence. */
  readonly what: string;
  /** From the folder of the scenario if it is there, else from the root of the project. */
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
  /** What the failure says, so that it is found for the right reason. */
  readonly says?: RegExp | string;
}
