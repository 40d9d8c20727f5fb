/**
 * What is touched by whoever reads, iterates over or changes all of a collection.
 *
 * All of it is every entry, and the location that is written whenever the set of entries changes.
 */
import { READ, WRITE } from "../footprint.ts";
import { nameKey, SIZE } from "../locations.ts";
import { type Kind, kindOf, numberedOf, UNNUMBERED } from "../numbers.ts";
import { recording, touch } from "../touch.ts";
import { keyOf, touchElements, touchView } from "./elements.ts";
import { isObject, STRUCTURE } from "./properties.ts";

/** The key of a map's or set's size: who iterates reads it too. */
export const ENTRIES: number = nameKey(SIZE);

/** Of any object, numbered or not. */
export function kindOfAny(object: object): Kind {
  return numberedOf(object)?.kind ?? kindOf(object);
}

/** Notes the reading of everything in an array, a view, a map or a set; of others nothing. */
export function readAll<T>(object: T): T {
  if (recording && isObject(object)) touchAll(object, kindOfAny(object), READ);
  return object;
}

/** As `readAll`, for an array that may be a pair that a map made for nobody else. */
export function readTuple<T>(object: T): T {
  if (!recording || !isObject(object) || numberedOf(object) === undefined) return object;
  return readAll(object);
}

/** Notes the reading of every property: for spreads of objects and lists of keys. */
export function readOwn<T>(object: T): T {
  if (!recording || !isObject(object)) return object;
  const kind = kindOfAny(object);
  if (kind !== "instance" && kind !== "record") return readAll(object);
  const number = numberedOf(object)?.current() ?? UNNUMBERED;
  for (const key of Reflect.ownKeys(object)) touch(number, keyOf(key), READ);
  touch(number, STRUCTURE, READ);
  return object;
}

export function touchAll(object: object, kind: Kind, how: number): void {
  const numbered = numberedOf(object);
  const number = numbered?.current() ?? UNNUMBERED;
  if (kind === "array") {
    touch(number, STRUCTURE, how);
    touchElements(number, 0, (object as unknown[]).length, how);
  } else if (kind === "map" || kind === "set") {
    touch(number, ENTRIES, how);
    for (const key of (object as Map<unknown, unknown>).keys()) touch(number, keyOf(key), how);
  } else if (kind === "view") {
    touchView(numbered, 0, (object as Uint8Array).length, how);
  }
}

/**
 * Iterates over `object` and notes what each step reads: for loops that give up the processor
 * inside. `method` is the name of the iterator asked for: "" for the object's own.
 */
export function inSteps(object: object, method: "" | "keys" | "values" | "entries"): unknown {
  const ownIterator = method === "" ? object : (object as Map<unknown, unknown>)[method]();
  if (!isObject(object)) return ownIterator;
  const kind = kindOfAny(object);
  const numbered = numberedOf(object);
  if (kind === "array" || kind === "map" || kind === "set" || kind === "view") {
    const iterable = ownIterator as Iterable<unknown>;
    const number = numbered?.current() ?? UNNUMBERED;
    return kind === "array"
      ? elementsInSteps(iterable, number)
      : entriesInSteps(iterable, object, kind);
  }
  return ownIterator;
}

function* elementsInSteps(iterable: Iterable<unknown>, number: number): Generator<unknown> {
  const iterator = iterable[Symbol.iterator]();
  for (let index = 0; ; index++) {
    touch(number, STRUCTURE, READ);
    const { done, value } = iterator.next();
    if (done === true) return;
    touchElements(number, index, index + 1, READ);
    yield value;
  }
}

function* entriesInSteps(
  iterable: Iterable<unknown>,
  object: object,
  kind: Kind,
): Generator<unknown> {
  const iterator = iterable[Symbol.iterator]();
  for (;;) {
    touchAll(object, kind, READ);
    const { done, value } = iterator.next();
    if (done === true) return;
    yield value;
  }
}

/** What a method that changes all of its object touches. */
export function writeAll(object: object, kind: Kind): void {
  touchAll(object, kind, WRITE);
}
