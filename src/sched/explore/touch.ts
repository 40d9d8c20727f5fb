/**
 * What each step of a run reads and writes, in a build that tracks it; nothing in any other build.
 */

/** The locations that one step touched. */
export class Footprint {
  /** Whether one of the two writes what the other reads or writes. */
  conflictsWith(_other: Footprint): boolean {
    return false;
  }

  /** Without locations in objects numbered from `firstFresh` on. */
  before(_firstFresh: number): Footprint {
    return this;
  }

  /** Whether this one writes anything that `other` reads. */
  writesWhat(_other: Footprint): boolean {
    return false;
  }
}

const NOTHING: Footprint = new Footprint();

/** Forgets the numbering of objects: the next one gets number 0. */
export function beginRun(): void {}

/** The number of the next object. */
export function objectsSeen(): number {
  return 0;
}

/** What was touched since the last call. */
export function takeFootprint(): Footprint {
  return NOTHING;
}

/** Whether this build tracks. */
export function isTracked(): boolean {
  return false;
}
