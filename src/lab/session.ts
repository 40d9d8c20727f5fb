/** What lasts from one run of a search to the next: counts, and machines that are kept. */
import type { SmallMemoryShape } from "../memory/small-memory.ts";
import { Coverage } from "./coverage.ts";
import { KeptMachine } from "./kept-machine.ts";

export class LabSession {
  readonly coverage: Coverage = new Coverage();
  /** How runs ended, if that is asked for. */
  readonly finalStates: Set<string> | null;
  /** In the order in which a run asks for them. */
  private readonly kept: KeptMachine[] = [];

  constructor(finalStates: Set<string> | null = null) {
    this.finalStates = finalStates;
  }

  /** The machine that a run asks for as its `at`th, made when it is first asked for. */
  keep(at: number, shape: SmallMemoryShape | undefined): KeptMachine {
    this.kept[at] ??= new KeptMachine(shape);
    return this.kept[at];
  }

  /** Once the search is over: throws if a kept machine was changed as none may be. */
  check(): void {
    for (const machine of this.kept) machine.check();
  }
}
