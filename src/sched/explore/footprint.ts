/**
 * What one step touched, small and quick to compare with another.
 *
 * Two steps of different tasks commute unless their footprints conflict: some location that one
 * of them changed and the other read or changed. Additions are the exception: `count++` whose
 * value nobody reads commutes with any other such addition to the same location.
 */
import { describeKey, locations } from "./locations.ts";
import { describeObject } from "./numbers.ts";

/** How a step touched a location. */
export const READ = 0;
export const ADD = 1;
export const WRITE = 2;

/** A step's touches of one location, as one. */
export function strongest(before: number, now: number): number {
  return before === now ? now : WRITE;
}

export class Footprint {
  /** Location and how it was touched in the two lowest bits, ascending. */
  private readonly touches: Int32Array;
  /** A bit for each location modulo 32: what has no bit in common has no location in common. */
  private readonly all: number = 0;
  private readonly changed: number = 0;

  /** `touches` is given away; in any order, each location once. */
  constructor(touches: Int32Array) {
    sort(touches);
    this.touches = touches;
    for (const touch of touches) {
      const bit = 1 << ((touch >> 2) & 31);
      this.all |= bit;
      if ((touch & 3) !== READ) this.changed |= bit;
    }
  }

  /** How many locations. */
  get size(): number {
    return this.touches.length;
  }

  /** Whether some location was changed in one and read or changed in the other. */
  conflictsWith(other: Footprint): boolean {
    if (((this.changed & other.all) | (this.all & other.changed)) === 0) return false;
    return isAnyShared(this.touches, other.touches, doConflict);
  }

  /** Whether something that this one changed was read or changed in the other. */
  writesWhat(other: Footprint): boolean {
    if ((this.changed & other.all) === 0) return false;
    return isAnyShared(this.touches, other.touches, isChange);
  }

  /** This footprint without the locations in objects numbered from `firstFresh` on. */
  before(firstFresh: number): Footprint {
    const { objects } = locations;
    const kept = this.touches.filter((touch) => objects[touch >> 2] < firstFresh);
    return kept.length === this.touches.length ? this : new Footprint(kept);
  }

  /** The locations by name, as in `refcount[5]`: of the run that is on, or was last. */
  describe(): { reads: string[]; writes: string[] } {
    const reads: string[] = [];
    const writes: string[] = [];
    for (const touch of this.touches) {
      ((touch & 3) === READ ? reads : writes).push(describeLocation(touch >> 2));
    }
    return { reads, writes };
  }
}

/** Whether `holds` for how the two touched some location that both did. */
function isAnyShared(
  a: Int32Array,
  b: Int32Array,
  holds: (a: number, b: number) => boolean,
): boolean {
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const order = (a[i] >> 2) - (b[j] >> 2);
    if (order === 0 && holds(a[i] & 3, b[j] & 3)) return true;
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return false;
}

function isChange(how: number): boolean {
  return how !== READ;
}

function doConflict(a: number, b: number): boolean {
  return a !== b || a === WRITE;
}

function describeLocation(location: number): string {
  const object = describeObject(locations.objects[location]);
  const key = describeKey(locations.keys[location]);
  return object === "" && key.startsWith(".") ? key.slice(1) : `${object}${key}`;
}

/** Most footprints are of a few locations, for which the built-in sort is slow to begin. */
function sort(touches: Int32Array): void {
  if (touches.length > 40) {
    touches.sort();
    return;
  }
  for (let end = 1; end < touches.length; end++) {
    const touch = touches[end];
    let at = end;
    for (; at > 0 && touches[at - 1] > touch; at--) touches[at] = touches[at - 1];
    touches[at] = touch;
  }
}
