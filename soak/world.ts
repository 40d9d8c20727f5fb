/**
 * One machine under load: its workers, what they must find in memory, and the look at all of it.
 *
 * Everything follows from the seed. References that workers hold on purpose are in `pins`, so that
 * the invariants can tell them from leaked ones.
 */
import { assert } from "../src/base/assert.ts";
import { Random } from "../src/base/random.ts";
import { checkInvariants } from "../src/machine/invariants.ts";
import type { Machine } from "../src/machine/machine.ts";
import { smallMachine } from "../src/machine/small-machine.ts";
import { teardown } from "../src/machine/teardown.ts";
import { DirectFrames } from "../src/memory/byte-frames.ts";
import { PAGE_WORDS } from "../src/memory/frames.ts";
import type { Folio } from "../src/memory/memmap.ts";
import type { Memory } from "../src/memory/memory.ts";
import type { Vm } from "../src/vm/vm.ts";
import type { MappedFile } from "./mapped-file.ts";
import type { Outcomes } from "./outcomes.ts";
import { Scheduler } from "./scheduler.ts";
import type { SoakShape } from "./shapes.ts";

/** What a worker keeps of what it must find. */
export interface Owner {
  readonly name: string;
  /** Throws where memory does not hold what it should. Runs while all workers rest. */
  verify(): void;
  /** Gives back what teardown cannot know of. */
  leave(): void;
}

export class World {
  readonly machine: Machine;
  readonly random: Random;
  readonly outcomes: Outcomes;
  readonly scheduler: Scheduler;
  readonly owners: Set<Owner> = new Set();
  readonly files: MappedFile[] = [];
  /** Processes that there may be at once. */
  readonly processes: number;
  /** References held by name of nobody in the machine: by folio, how many. */
  readonly held: Map<Folio, number> = new Map();

  constructor(shape: SoakShape, seed: number, outcomes: Outcomes) {
    const frames = new DirectFrames(shape.memory.pageCount, PAGE_WORDS);
    this.machine = smallMachine({ ...shape.memory, frames });
    this.random = new Random(seed);
    this.outcomes = outcomes;
    this.processes = shape.processes;
    this.scheduler = new Scheduler(this.mem, this.machine.clock, this.random);
  }

  get vm(): Vm {
    return this.machine.vm;
  }

  get mem(): Memory {
    return this.machine.mem;
  }

  get cpus(): number {
    return this.mem.cpuCount;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    assert(list.length > 0, "a choice among nothing");
    return list[this.random.below(list.length)];
  }

  /** `count` references more of the folio are a worker's, or fewer. */
  hold(folio: Folio, count: number): void {
    const now = (this.held.get(folio) ?? 0) + count;
    assert(now >= 0, "a worker gives back what it does not hold:", folio);
    if (now === 0) this.held.delete(folio);
    else this.held.set(folio, now);
  }

  /** One of the pins that the machine was told of is given back. */
  forgetPin(folio: Folio): void {
    const { pins } = this.machine;
    const left = (pins.get(folio) ?? 0) - 1;
    assert(left >= 0, "a worker gives back a pin that it does not have:", folio);
    if (left === 0) pins.delete(folio);
    else pins.set(folio, left);
  }

  /** All workers rest: the machine is whole and every byte is where it should be. */
  check(): void {
    this.machine.holds.clear();
    for (const [folio, count] of this.held) this.machine.recordHold(folio, count);
    checkInvariants(this.machine);
    this.machine.holds.clear();
    for (const owner of this.owners) owner.verify();
  }

  /** The end: nothing is left that was taken. */
  finish(): void {
    for (const owner of this.owners) owner.leave();
    assert(this.held.size === 0, "a worker left and kept references:", this.held.size);
    teardown(this.machine);
    this.outcomes.addRefusals(this.mem.events.refusals.counts);
  }
}
