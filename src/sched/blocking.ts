/**
 * The call protocol: who may sleep and who may be preempted is in the type.
 *
 * - A plain function is atomic: nothing else runs until it returns.
 * - `Steps<T>` may be preempted at its named points, or spin for a lock, but never sleeps.
 * - `Blocking<T>` may also sleep, on a `WaitQueue`.
 *
 * Call both with `yield*`; called bare they do nothing at all (a house rule finds that). A point
 * is `yield "its-name"`, a sleep is `yield queue`: nothing else is ever yielded.
 *
 * The build for run-to-end turns both kinds into plain functions: it drops the points, and a
 * sleep becomes `queue.wouldSleep()`. So a point must be a string literal in a statement of its
 * own, and code must not depend on being a generator.
 */
import type { SpinQueue, WaitQueue } from "./wait-queue.ts";

/** A call that may be preempted at named points and never sleeps. */
export type Steps<T> = Generator<string | SpinQueue, T, void>;

/** A call that may sleep. */
export type Blocking<T> = Generator<Suspension, T, void>;

/** Why a task gave up the processor: the name of a preemption point, or where it sleeps. */
export type Suspension = string | WaitQueue;
