/**
 * Numbers of objects: by them the footprints of one run are compared with those of another.
 *
 * An object has its number from its creation, not from its first use: two runs that begin with
 * the same steps make the same objects in the same order, whoever touches them first later. What
 * was made before the run that is on (by modules as they load, by a machine kept over all runs)
 * has a lasting number below zero. Objects that nobody numbered, such as those of packages, share
 * one number: their locations are then told apart by key alone, which is coarse and safe.
 *
 * The number is kept in a private field put onto the object itself: nobody can see it, frozen
 * objects take it too, and it is far cheaper than a `WeakMap`.
 */
import { doubled, nameOf } from "./locations.ts";

/** What kind of locations an object has. */
export type Kind =
  | "instance"
  | "record"
  | "array"
  | "map"
  | "set"
  | "view"
  | "dataView"
  | "buffer"
  | "weak";

/** Objects without a number of their own. */
export const UNNUMBERED = -1;
/** Variables that closures share and that have no number of their own: told apart by key. */
export const VARIABLES = -2;
const FIRST_LASTING = -3;

/** Buffers larger than this have a location a page, others an element. */
const LARGE_BUFFER_BYTES = 65536;
const PAGE_SHIFT = 12;

let run = 0;
let nextNumber = 0;
let nextLasting = FIRST_LASTING;
/** Id of the name of each object of this run, by number; and of those that last, by distance. */
let names: Int32Array = new Int32Array(1 << 12);
let lastingNames: Int32Array = new Int32Array(1 << 8);

/** What is known of one object. */
export class Numbered {
  readonly kind: Kind;
  /** Where a view's bytes are: its buffer's entry. Itself for anything else. */
  readonly storage: Numbered;
  /** Of a view: the offset of its first byte, and its element's size as a power of two. */
  readonly offsetBytes: number;
  readonly elementShift: number;
  /** Of a buffer: how many bytes share a location, as a power of two. */
  locationShift = 0;
  private run: number;
  private number: number;
  private name: number;
  /** The name is only that of a class, and gives way to any other. */
  private isNamedByClass = false;

  constructor(kind: Kind, name: number, storage?: Numbered, offsetBytes = 0, elementShift = 0) {
    this.kind = kind;
    this.storage = storage ?? this;
    this.offsetBytes = offsetBytes;
    this.elementShift = elementShift;
    this.run = run;
    this.name = name;
    this.number = storage === undefined ? nextNumber++ : 0;
    if (storage !== undefined) return;
    if (this.number === names.length) names = doubled(names);
    names[this.number] = name;
  }

  /** The object's number in the run that is on. */
  current(): number {
    const { storage } = this;
    if (storage.run !== run && storage.number >= 0) storage.makeLasting();
    return storage.number;
  }

  /** Names what has no name yet; a derived class's name takes the place of its base's. */
  nameIt(name: number, by: "holder" | "class"): void {
    const { storage } = this;
    if (storage.name !== 0 && !storage.isNamedByClass) return;
    storage.name = name;
    storage.isNamedByClass = by === "class";
    const number = this.current();
    if (number >= 0) names[number] = name;
    else lastingNames[FIRST_LASTING - number] = name;
  }

  private makeLasting(): void {
    this.number = nextLasting--;
    const at = FIRST_LASTING - this.number;
    if (at === lastingNames.length) lastingNames = doubled(lastingNames);
    lastingNames[at] = this.name;
  }
}

class ReturnsItsArgument {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: this puts the field onto any object.
    return object;
  }
}

class Stamp extends ReturnsItsArgument {
  readonly #numbered: Numbered;

  constructor(object: object, numbered: Numbered) {
    super(object);
    this.#numbered = numbered;
    lastObject = null;
  }

  static of(object: object): Numbered | undefined {
    return #numbered in object ? object.#numbered : undefined;
  }
}

/** The next run's objects are numbered from 0 on. */
export function restartNumbers(): void {
  run++;
  nextNumber = 0;
  lastObject = null;
}

/** The number that the next object gets. */
export function objectsSeen(): number {
  return nextNumber;
}

/** The object that was asked for last, and its entry: most are asked for again at once. */
let lastObject: object | null = null;
let lastNumbered: Numbered | undefined;

/** Undefined for what has no number. */
export function numberedOf(object: object): Numbered | undefined {
  if (object !== lastObject) {
    lastNumbered = Stamp.of(object);
    lastObject = object;
  }
  return lastNumbered;
}

/** The number of an object that may have none. */
export function numberOf(object: object): number {
  return numberedOf(object)?.current() ?? UNNUMBERED;
}

/** Numbers an object that has no number; of any kind. */
export function numberObject(object: object, name: number): Numbered {
  const before = Stamp.of(object);
  if (before !== undefined) {
    if (name !== 0) before.nameIt(name, "holder");
    return before;
  }
  const kind = kindOf(object);
  if (kind === "view") return numberView(object as Uint8Array, name);
  const numbered = new Numbered(kind, name);
  new Stamp(object, numbered);
  if (kind === "buffer") setLocationShift(numbered, (object as ArrayBuffer).byteLength, 2);
  return numbered;
}

/** As `numberObject`, for what is new and known to be of this kind. */
export function numberNew(object: object, kind: Kind, name: number): void {
  new Stamp(object, new Numbered(kind, name));
}

/** Views of one buffer share its locations; a buffer of its own has those of its elements. */
function numberView(view: Uint8Array, name: number): Numbered {
  const { buffer, byteOffset, BYTES_PER_ELEMENT = 1 } = view;
  const elementShift = Math.log2(BYTES_PER_ELEMENT);
  let storage = Stamp.of(buffer);
  if (storage === undefined) {
    storage = new Numbered("buffer", name);
    setLocationShift(storage, buffer.byteLength, elementShift);
    new Stamp(buffer, storage);
  } else if (name !== 0) {
    storage.nameIt(name, "holder");
  }
  const kind = view instanceof DataView ? "dataView" : "view";
  const numbered = new Numbered(kind, 0, storage, byteOffset, elementShift);
  new Stamp(view, numbered);
  return numbered;
}

function setLocationShift(buffer: Numbered, byteLength: number, elementShift: number): void {
  buffer.locationShift = byteLength > LARGE_BUFFER_BYTES ? PAGE_SHIFT : elementShift;
}

export function kindOf(object: object): Kind {
  if (Array.isArray(object)) return "array";
  if (ArrayBuffer.isView(object)) return "view";
  if (object instanceof Map) return "map";
  if (object instanceof Set) return "set";
  if (object instanceof ArrayBuffer || object instanceof SharedArrayBuffer) return "buffer";
  return object instanceof WeakMap || object instanceof WeakSet ? "weak" : "instance";
}

/** The name of the object that has this number in the run that is on, or was last. */
export function describeObject(number: number): string {
  if (number > FIRST_LASTING) return number < 0 ? "" : nameOf(names[number]);
  return nameOf(lastingNames[FIRST_LASTING - number]);
}
