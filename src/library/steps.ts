/**
 * `import … from "godwit/steps"`: the engine as calls that can be preempted and can sleep.
 *
 * The names of `godwit`, each call a generator (`Steps`, `Blocking`) to be run with `yield*` inside
 * a task, or by `runToEnd`; and what it takes to run several tasks on one machine. Slower than
 * `godwit`, which is the same source without suspensions. The two are apart at run time too: a
 * machine of the one is nothing to the functions of the other. Re-exports and nothing else.
 *
 * @module godwit/steps
 */

export type { Blocking, Steps, Suspension } from "../sched/blocking.ts";
export { runTasks } from "../sched/run.ts";
export { SpinLock } from "../sched/spin-lock.ts";
export { Task } from "../sched/task.ts";
export { WaitQueue } from "../sched/wait-queue.ts";
export * from "./godwit.ts";
