/**
 * What instrumented code calls around properties and shared variables.
 *
 * `o.p` becomes `read(o, KEY).p`: these functions note the touch and give the object back, so that
 * the access itself, its getters and its `this` are JavaScript's own. They take whatever comes,
 * null too: what then throws is the access. Called by the tracked build alone.
 */
import { ADD, READ, WRITE } from "../footprint.ts";
import { describeKey, elementKey, LENGTH, nameKey } from "../locations.ts";
import { numberedOf, numberOf, UNNUMBERED, VARIABLES } from "../numbers.ts";
import { recording, touch } from "../touch.ts";

/** The key of an array's length, and of the set of keys that a record has. */
export const STRUCTURE: number = nameKey(LENGTH);

/** Whether `value` can have properties that somebody changes. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

export function read<T>(object: T, key: number): T {
  if (recording && isObject(object)) touch(numberOf(object), key, READ);
  return object;
}

/** A property that a record did not have is one more key of it. */
export function write<T>(object: T, key: number): T {
  if (!recording || !isObject(object)) return object;
  const numbered = numberedOf(object);
  const number = numbered?.current() ?? UNNUMBERED;
  touch(number, key, WRITE);
  if (numbered?.kind === "record" && !(propertyOf(key) in object)) touch(number, STRUCTURE, WRITE);
  return object;
}

/** For an assignment to an array's length: what is cut off is written too. */
export function writeLength<T>(object: T): T {
  if (!recording || !isObject(object)) return object;
  const number = numberOf(object);
  touch(number, STRUCTURE, WRITE);
  if (Array.isArray(object)) {
    for (let index = 0; index < object.length; index++) touch(number, elementKey(index), WRITE);
  }
  return object;
}

/** For an assignment whose value may take steps of its own: noted when it is there. */
export function afterWrite<T>(value: T, object: unknown, key: number): T {
  write(object, key);
  return value;
}

/** For `o.p++` whose value nobody reads: it commutes with others of its kind. */
export function increment<T>(object: T, key: number): T {
  if (recording && isObject(object)) touch(numberOf(object), key, ADD);
  return object;
}

/** For `o.p += n` whose value nobody reads: as `increment`, if it is a number. */
export function addTo<T>(object: T, key: number): T {
  if (!recording || !isObject(object)) return object;
  const before = Object.getOwnPropertyDescriptor(object, propertyOf(key));
  touch(numberOf(object), key, Number.isInteger(before?.value) ? ADD : WRITE);
  return object;
}

/** For `delete o.p`. */
export function remove<T>(object: T, key: number): T {
  if (!recording || !isObject(object)) return object;
  const number = numberOf(object);
  touch(number, key, WRITE);
  touch(number, STRUCTURE, WRITE);
  return object;
}

/** For the name of a private member, a name that no property has. */
function propertyOf(key: number): string {
  return describeKey(key).slice(1);
}

/** The cell of a variable is an object made where the variable is declared; 0 is no cell. */
type Cell = object | 0;

export function readVariable<T>(cell: Cell, key: number, value: T): T {
  touchVariable(cell, key, READ);
  return value;
}

/** `value` is that of the assignment, which is over. */
export function writeVariable<T>(cell: Cell, key: number, value: T): T {
  touchVariable(cell, key, WRITE);
  return value;
}

export function incrementVariable<T>(cell: Cell, key: number, value: T): T {
  touchVariable(cell, key, ADD);
  return value;
}

function touchVariable(cell: Cell, key: number, how: number): void {
  if (recording) touch(cell === 0 ? VARIABLES : numberOf(cell), key, how);
}

/** `object?.` whose rest cannot be written as a chain. */
export function optional<T, R>(object: T, rest: (object: NonNullable<T>) => R): R | undefined {
  return object === null || object === undefined ? undefined : rest(object);
}
