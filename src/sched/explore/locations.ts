/**
 * Locations: what two steps may both touch, as small numbers that are the same in every run.
 *
 * A location is a key in a numbered object: a property, an element, an entry of a map. Objects
 * are told apart by their numbers alone (`numbers.ts`), so that the same place of two runs is one
 * location. Knows JavaScript's objects and nothing of what they stand for.
 *
 * A key is an integer whose two lowest bits say of what kind it is.
 */
import { assert } from "../../base/assert.ts";

const ELEMENT = 0;
const NAME = 1;
const VALUE = 2;
const OBJECT = 3;

/** Ids of names that every build has, whatever its modules declare; 0 is no name. */
export const LENGTH = 1;
export const SIZE = 2;
const FIRST_UNDECLARED = 1 << 26;

const LARGEST_INTEGER = 1 << 27;

const namesById: string[] = ["", "length", "size"];
const undeclared: string[] = [];
const idsByName = new Map<string, number>([
  ["length", LENGTH],
  ["size", SIZE],
]);
const values: unknown[] = [];
const idsByValue = new Map<unknown, number>();

/** Gives the id that the build chose for a property's name; the same name always has the same. */
export function declareName(id: number, name: string): void {
  const before = idsByName.get(name) ?? FIRST_UNDECLARED;
  if (before === id) return;
  // A computed key may have been there first, while modules were loading.
  assert(before >= FIRST_UNDECLARED, "a name with two ids:", name, before, id);
  assert(namesById[id] === undefined, "the id of a name is taken:", id, name);
  idsByName.set(name, id);
  namesById[id] = name;
}

/** Gives a shared variable's declaration an id of its own; its name may be that of others too. */
export function declareVariable(id: number, name: string): void {
  assert(namesById[id] === undefined || namesById[id] === name, "an id is taken:", id, name);
  namesById[id] = name;
}

/** Empty for an id that is nobody's. */
export function nameOf(id: number): string {
  return (id < FIRST_UNDECLARED ? namesById[id] : undeclared[id - FIRST_UNDECLARED]) ?? "";
}

export function nameKey(id: number): number {
  return (id << 2) | NAME;
}

/** The key of `array[index]`. */
export function elementKey(index: number): number {
  return (index << 2) | ELEMENT;
}

/** The key of what an object with this number maps to. */
export function objectKey(number: number): number {
  return (number << 2) | OBJECT;
}

/** The key for a computed property name or for the key of a map, if it is no object. */
export function valueKey(value: unknown): number {
  if (typeof value === "number" && (value | 0) === value && Math.abs(value) < LARGEST_INTEGER) {
    return elementKey(value);
  }
  if (typeof value === "string") return (idOfName(value) << 2) | NAME;
  let id = idsByValue.get(value);
  if (id === undefined) {
    id = values.push(value) - 1;
    idsByValue.set(value, id);
  }
  return (id << 2) | VALUE;
}

/** A name that no module declared can only be met as a computed key. */
function idOfName(name: string): number {
  let id = idsByName.get(name);
  if (id === undefined) {
    id = FIRST_UNDECLARED + undeclared.push(name) - 1;
    idsByName.set(name, id);
  }
  return id;
}

/** `[5]`, `.held`, `["a key"]`. */
export function describeKey(key: number): string {
  const content = key >> 2;
  switch (key & 3) {
    case ELEMENT:
      return `[${content}]`;
    case NAME:
      return `.${nameOf(content)}`;
    case VALUE:
      return `[${String(values[content])}]`;
    default:
      return `[object ${content}]`;
  }
}

/** An open hash table from (object's number, key) to the location's own number, from 0 on. */
class LocationTable {
  private slots = new Int32Array(1 << 14).fill(-1);
  objects: Int32Array = new Int32Array(1 << 12);
  keys: Int32Array = new Int32Array(1 << 12);
  count = 0;

  /** The location's number; a new one for what was never asked for. */
  find(object: number, key: number): number {
    const { slots, objects, keys } = this;
    const mask = slots.length - 1;
    let slot = hash(object, key) & mask;
    for (;;) {
      const location = slots[slot];
      if (location < 0) break;
      if (objects[location] === object && keys[location] === key) return location;
      slot = (slot + 1) & mask;
    }
    slots[slot] = this.count;
    return this.add(object, key);
  }

  private add(object: number, key: number): number {
    if (this.count === this.objects.length) this.grow();
    this.objects[this.count] = object;
    this.keys[this.count] = key;
    return this.count++;
  }

  private grow(): void {
    this.objects = doubled(this.objects);
    this.keys = doubled(this.keys);
    this.slots = new Int32Array(this.slots.length * 2).fill(-1);
    const mask = this.slots.length - 1;
    for (let location = 0; location < this.count; location++) {
      let slot = hash(this.objects[location], this.keys[location]) & mask;
      while (this.slots[slot] >= 0) slot = (slot + 1) & mask;
      this.slots[slot] = location;
    }
  }
}

/** A copy with room for twice as much. */
export function doubled(column: Int32Array): Int32Array {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}

function hash(object: number, key: number): number {
  const mixed = Math.imul(object, 0x9e3779b1) ^ Math.imul(key, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

export const locations: LocationTable = new LocationTable();
