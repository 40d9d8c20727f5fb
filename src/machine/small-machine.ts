/**
 * A small machine with every frame free, for tests and for scenarios that are run many times.
 */
import { ALL_FEATURES, type Features } from "../base/features.ts";
import { framesOf, fullShape, openMemory, type SmallMemoryShape } from "../memory/small-memory.ts";
import { Clock } from "../sched/clock.ts";
import { Machine } from "./machine.ts";

/** 64 frames, or what `shape` says. */
export function smallMachine(
  shape: SmallMemoryShape = { pageCount: 64 },
  features: Features = ALL_FEATURES,
  clock: Clock = new Clock(),
): Machine {
  const machine = new Machine(fullShape(shape), framesOf(shape), features, clock);
  openMemory(machine.mem, shape);
  return machine;
}
