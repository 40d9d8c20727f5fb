/**
 * Faults as choices: what can go wrong by itself, tried at each place where it can.
 *
 * A search runs everything without a fault first, then with each single one, then with pairs if
 * it is asked to. Nothing fails while the scene is set or looked at.
 */
import type { Machine } from "../machine/machine.ts";

/** Who is asked, and when there is something to ask. */
export interface FaultSource {
  readonly isRunning: boolean;
  fault(about: string): boolean;
}

export interface FaultKinds {
  /** An allocation finds nothing, as at the end of memory. Linux: `fail_page_alloc`. */
  readonly allocation?: boolean;
}

export function installFaults(source: FaultSource, machine: Machine, kinds: FaultKinds): void {
  const { allocHooks } = machine.mem;
  allocHooks.shouldFail =
    kinds.allocation === true
      ? (order) => source.isRunning && source.fault(allocationFails(order))
      : null;
}

function allocationFails(order: number): string {
  return order === 0 ? "an allocation fails" : `an allocation of order ${order} fails`;
}
