/**
 * What instrumented code calls in place of a method that JavaScript's own collections have.
 *
 * `o.push(x)` becomes `call(o, "push", x)`: an array's length and one element are noted as
 * written, then the method runs; an object of another class that has such a method runs it as it
 * is. New arrays and views that a method gives get their numbers here.
 */
import { READ, WRITE } from "../footprint.ts";
import { elementKey } from "../locations.ts";
import { type Kind, type Numbered, numberedOf, UNNUMBERED } from "../numbers.ts";
import { recording, touch } from "../touch.ts";
import { made } from "./creation.ts";
import { keyOf, touchElements, touchView } from "./elements.ts";
import { isObject, STRUCTURE } from "./properties.ts";
import { ENTRIES, kindOfAny, readAll, touchAll, writeAll } from "./whole.ts";

type Method = (...args: readonly unknown[]) => unknown;

/** Runs `object[name](...args)` and notes what it touches. */
export function call(object: unknown, name: string, ...args: readonly unknown[]): unknown {
  const methods = object as Record<string, Method>;
  if (!isObject(object)) return made(methods[name](...args));
  const kind = kindOfAny(object);
  if (kind === "instance" || kind === "record") {
    if (object instanceof RegExp) noteMatch(object);
    return methods[name](...args);
  }
  if (recording) note(object, kind, name, args);
  return made(methods[name](...args));
}

/** `object?.name`: notes the most that the method may touch, since its arguments are not there. */
export function beforeCall<T>(object: T, name: string): T {
  if (!recording || !isObject(object)) return object;
  const kind = kindOfAny(object);
  const effect = kind === "weak" ? "" : name;
  touchAll(object, kind, READERS.has(effect) ? READ : WRITE);
  return object;
}

/** Throws what `object.name` throws where there is no object, before arguments are evaluated. */
export function callee<T>(object: T, name: string): T {
  if (object === null || object === undefined) return (object as Record<string, T>)[name];
  return object;
}

/** Methods that change nothing. */
const READERS: ReadonlySet<string> = new Set(
  (
    "at concat entries every filter find findIndex findLast findLastIndex flat flatMap forEach " +
    "get has includes indexOf join keys lastIndexOf map reduce reduceRight slice some toReversed " +
    "toSorted toSpliced toString values with subarray"
  ).split(" "),
);

function note(object: object, kind: Kind, name: string, args: readonly unknown[]): void {
  const numbered = numberedOf(object);
  const number = numbered?.current() ?? UNNUMBERED;
  switch (kind) {
    case "array":
      noteArray(object as unknown[], number, name, args);
      break;
    case "map":
    case "set":
      noteEntries(object as Map<unknown, unknown>, kind, number, name, args[0]);
      break;
    case "weak":
      touch(number, keyOf(args[0]), name === "get" || name === "has" ? READ : WRITE);
      break;
    case "view":
      noteView(object as Uint8Array, numbered, name, args);
      break;
    case "dataView":
      noteDataView(numbered, name, args[0]);
      break;
    default:
      // A buffer's `slice`: its bytes are those of its views.
      break;
  }
}

function noteArray(
  array: readonly unknown[],
  number: number,
  name: string,
  args: readonly unknown[],
): void {
  const { length } = array;
  switch (name) {
    case "push":
      if (args.length === 0) return;
      touch(number, STRUCTURE, WRITE);
      touchElements(number, length, length + args.length, WRITE);
      return;
    case "pop":
      touch(number, STRUCTURE, length === 0 ? READ : WRITE);
      if (length > 0) touch(number, elementKey(length - 1), WRITE);
      return;
    case "at":
      touch(number, STRUCTURE, READ);
      touch(number, elementKey(relative(args[0], length, 0)), READ);
      return;
    case "splice":
    case "shift":
    case "unshift": {
      const from = name === "splice" ? relative(args[0], length, 0) : 0;
      touch(number, STRUCTURE, WRITE);
      touchElements(number, from, length + args.length, WRITE);
      return;
    }
    case "concat":
      for (const arg of args) readAll(arg);
      touchAll(array, "array", READ);
      return;
    default:
      touchAll(array, "array", READERS.has(name) ? READ : WRITE);
  }
}

function noteEntries(
  entries: ReadonlyMap<unknown, unknown>,
  kind: "map" | "set",
  number: number,
  name: string,
  key: unknown,
): void {
  switch (name) {
    case "get":
    case "has":
      touch(number, keyOf(key), READ);
      return;
    case "set":
    case "add":
    case "delete": {
      const { prototype } = kind === "map" ? Map : Set;
      const isThere = prototype.has.call(entries, key);
      const changesKeys = isThere === (name === "delete");
      const changes = changesKeys || (kind === "map" && name === "set");
      touch(number, keyOf(key), changes ? WRITE : READ);
      if (changesKeys) touch(number, ENTRIES, WRITE);
      return;
    }
    case "clear":
      writeAll(entries, kind);
      return;
    default:
      touchAll(entries, kind, READ);
  }
}

function noteView(
  view: Uint8Array,
  numbered: Numbered | undefined,
  name: string,
  args: readonly unknown[],
): void {
  const { length } = view;
  switch (name) {
    case "fill":
      noteRange(numbered, length, args[1], args[2], WRITE);
      return;
    case "slice":
      noteRange(numbered, length, args[0], args[1], READ);
      return;
    case "subarray":
      return;
    case "at":
      noteRange(numbered, length, args[0], relative(args[0], length, 0) + 1, READ);
      return;
    case "set": {
      const source = readAll(args[0]) as ArrayLike<unknown>;
      const from = Number(args[1] ?? 0);
      noteRange(numbered, length, from, from + source.length, WRITE);
      return;
    }
    case "copyWithin": {
      const from = relative(args[1], length, 0);
      const count = relative(args[2], length, length) - from;
      const to = relative(args[0], length, 0);
      noteRange(numbered, length, from, from + count, READ);
      noteRange(numbered, length, to, to + count, WRITE);
      return;
    }
    default:
      noteRange(numbered, length, 0, length, READERS.has(name) ? READ : WRITE);
  }
}

function noteRange(
  view: Numbered | undefined,
  length: number,
  start: unknown,
  end: unknown,
  how: number,
): void {
  const from = relative(start, length, 0);
  const to = relative(end, length, length);
  if (from < to) touchView(view, from, to, how);
}

/** A position as these methods take them: from the end if it is below zero. */
function relative(position: unknown, length: number, byDefault: number): number {
  if (position === undefined) return byDefault;
  const at = Math.trunc(Number(position)) || 0;
  return at < 0 ? Math.max(0, length + at) : Math.min(at, length);
}

/** The width of what it reads or writes is in the method's name, in bits. */
function noteDataView(view: Numbered | undefined, name: string, offset: unknown): void {
  const bits = /\d+$/.exec(name);
  if (bits === null) return;
  const start = Number(offset) || 0;
  touchView(view, start, start + Number(bits[0]) / 8, name.startsWith("get") ? READ : WRITE);
}

/** A global or sticky pattern remembers where its last match ended. */
function noteMatch(pattern: RegExp): void {
  if (!pattern.global && !pattern.sticky) return;
  const numbered = numberedOf(pattern);
  touch(numbered?.current() ?? UNNUMBERED, STRUCTURE, WRITE);
}
