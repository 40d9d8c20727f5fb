/**
 * What instrumented code calls where an object is made: it gets its number, and perhaps a name.
 *
 * The name is that of the property or variable which the object is made for; names are ids, and
 * 0 is none. Numbering what has a number already changes nothing, so whoever cannot know whether
 * a call makes something new may ask all the same.
 */
import { numberedOf, numberNew, numberObject } from "../numbers.ts";
import { isObject } from "./properties.ts";

/** For what a call or a `new` gave. */
export function made<T>(object: T, name = 0): T {
  if (isObject(object)) numberObject(object, name);
  return object;
}

/** For a literal `{...}`. */
export function madeRecord<T extends object>(object: T, name = 0): T {
  numberNew(object, "record", name);
  return object;
}

/** For a literal `[...]`. */
export function madeArray<T extends object>(array: T, name = 0): T {
  numberNew(array, "array", name);
  return array;
}

/** The first field of every class: before any other is set, the object has its number. */
export function madeInstance(object: object, className: number): void {
  const numbered = numberedOf(object) ?? numberObject(object, 0);
  if (className !== 0) numbered.nameIt(className, "class");
}

/** For a variable that closures share. */
export function cell(): object {
  const object = {};
  numberNew(object, "instance", 0);
  return object;
}

/** For what a property is set to as its object is made. */
export function named<T>(object: T, name: number): T {
  if (isObject(object)) numberedOf(object)?.nameIt(name, "holder");
  return object;
}
