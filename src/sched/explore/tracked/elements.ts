/**
 * What instrumented code calls around `a[i]`, and what the methods of arrays and views touch.
 *
 * An array has a location an element and one for its length. A view (typed array) has those of
 * its buffer's bytes, which other views share. A record has one a key, and one for the set of keys.
 *
 * `a[f()]` becomes `readElementAt(a, f())[at]`: the index is evaluated once, and `at` is read
 * before anything else can run.
 */
import { ADD, READ, WRITE } from "../footprint.ts";
import { elementKey, objectKey, valueKey } from "../locations.ts";
import { type Numbered, numberedOf, numberOf, UNNUMBERED } from "../numbers.ts";
import { recording, touch } from "../touch.ts";
import { isObject, STRUCTURE } from "./properties.ts";

/** The index of the element access that is being evaluated. */
export let at: unknown;

export function readElement<T>(object: T, index: unknown): T {
  if (recording && isObject(object)) touchElement(object, index, READ);
  return object;
}

export function readElementAt<T>(object: T, index: unknown): T {
  at = index;
  return readElement(object, index);
}

export function writeElement<T>(object: T, index: unknown): T {
  if (!recording || !isObject(object)) return object;
  touchElement(object, index, WRITE);
  if (isNewKey(object, index)) touch(numberOf(object), STRUCTURE, WRITE);
  return object;
}

export function writeElementAt<T>(object: T, index: unknown): T {
  at = index;
  return writeElement(object, index);
}

/** For `a[i]++` and `a[i] += n` whose value nobody reads: it commutes with others of its kind. */
export function addToElement<T>(object: T, index: unknown): T {
  if (!recording || !isObject(object)) return object;
  touchElement(object, index, isExact(object, index) ? ADD : WRITE);
  return object;
}

export function addToElementAt<T>(object: T, index: unknown): T {
  at = index;
  return addToElement(object, index);
}

/** For `delete o[k]`. */
export function removeElementAt<T>(object: T, index: unknown): T {
  at = index;
  if (!recording || !isObject(object)) return object;
  touchElement(object, index, WRITE);
  touch(numberOf(object), STRUCTURE, WRITE);
  return object;
}

/** `o[k] = value` where the value may take steps of its own: noted when it is there. */
export function setElement<T>(object: object, index: PropertyKey, value: T): T {
  writeElement(object, index);
  (object as Record<PropertyKey, T>)[index] = value;
  return value;
}

/** For `key in object`. */
export function isIn(key: PropertyKey, object: object): boolean {
  if (recording && isObject(object)) touchElement(object, key, READ);
  return key in object;
}

function touchElement(object: object, index: unknown, how: number): void {
  const numbered = numberedOf(object);
  const isView = numbered === undefined ? ArrayBuffer.isView(object) : numbered.kind === "view";
  if (!isView) touch(numbered?.current() ?? UNNUMBERED, keyOf(index), how);
  else if (typeof index === "number") touchView(numbered, index, index + 1, how);
}

/** Sums of whole numbers are the same in any order; clamped and fractional ones are not. */
function isExact(object: object, index: unknown): boolean {
  if (object instanceof Uint8ClampedArray || object instanceof Float32Array) return false;
  const before = (object as Record<PropertyKey, unknown>)[index as PropertyKey];
  return Number.isInteger(before) || typeof before === "bigint";
}

function isNewKey(object: object, index: unknown): boolean {
  const kind = numberedOf(object)?.kind;
  if (kind === "array") return typeof index === "number" && index >= (object as []).length;
  return kind === "record" && !((index as PropertyKey) in object);
}

/** The key of a computed property, or of an entry of a map. */
export function keyOf(key: unknown): number {
  if (isObject(key)) return objectKey(numberOf(key));
  if (typeof key === "string" && /^\d{1,9}$/.test(key)) return elementKey(Number(key));
  return valueKey(key);
}

/** All bytes of all views that nobody numbered. */
const UNNUMBERED_BYTES = valueKey("bytes that nobody numbered");

/** Elements of a view from `start` up to `end`. */
export function touchView(
  view: Numbered | undefined,
  start: number,
  end: number,
  how: number,
): void {
  if (view === undefined) {
    touch(UNNUMBERED, UNNUMBERED_BYTES, how);
    return;
  }
  const { storage, offsetBytes, elementShift } = view;
  const number = storage.current();
  const size = 2 ** elementShift;
  const bytesPerLocation = 2 ** storage.locationShift;
  const first = Math.floor((offsetBytes + start * size) / bytesPerLocation);
  const last = Math.floor((offsetBytes + end * size - 1) / bytesPerLocation);
  for (let location = first; location <= last; location++) touch(number, location << 2, how);
}

/** Elements of an array from `start` up to `end`. */
export function touchElements(number: number, start: number, end: number, how: number): void {
  for (let index = start; index < end; index++) touch(number, elementKey(index), how);
}
