/** A thread that explores: takes modules of scenarios, one at a time, and answers with data. */
import { parentPort } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import type { InputError } from "../../base/input-error.ts";
import type { Exploration } from "../../lab/explore-scenario.ts";
import type { Job, ReplayJob } from "../../lab/run-job.ts";
import type { Story } from "../../lab/tell/story.ts";

/** A bundle of scenarios with the engine: `module` is its URL. */
export type Order =
  | { readonly kind: "explore"; readonly module: string; readonly job: Job }
  | { readonly kind: "replay"; readonly module: string; readonly job: ReplayJob };

export type Answer =
  | { readonly kind: "explored"; readonly explorations: readonly (readonly Exploration[])[] }
  | { readonly kind: "told"; readonly story: Story }
  | {
      readonly kind: "refused";
      readonly place: string;
      readonly found: string;
      readonly expected: string;
    }
  | { readonly kind: "broken"; readonly message: string };

assert(parentPort !== null, "explore-worker is a worker thread");
const port = parentPort;

port.on("message", async (order: Order) => {
  port.postMessage(await answer(order));
});

async function answer({ kind, module, job }: Order): Promise<Answer> {
  try {
    const { run, replay } = await import(module);
    if (kind === "replay") return { kind: "told", story: replay(job) };
    return { kind: "explored", explorations: run(job) };
  } catch (error) {
    // The bundle has an `InputError` of its own: only its shape is known here.
    if (error instanceof Error && error.name === "InputError") {
      const { place, found, expected } = error as InputError;
      return { kind: "refused", place, found, expected };
    }
    return {
      kind: "broken",
      message: error instanceof Error ? (error.stack ?? "") : String(error),
    };
  }
}
