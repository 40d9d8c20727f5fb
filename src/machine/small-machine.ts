/**
 * A small machine with every frame free, for tests and for scenarios that are run many times.
 */
import { framesOf, fullShape, openMemory, type SmallMemoryShape } from "../memory/small-memory.ts";
import { Machine } from "./machine.ts";

/** 64 frames, or what `shape` says. */
export function smallMachine(shape: SmallMemoryShape = { pageCount: 64 }): Machine {
  const machine = new Machine(fullShape(shape), framesOf(shape));
  openMemory(machine.mem, shape);
  return machine;
}
