/**
 * After each step, what no step may have done to a machine's folios:
 *
 * - changed the mapping, index or private state of a folio that another task has locked. Free are
 *   the end of I/O, which works for who holds the lock, and what is a driver's, whose own lock
 *   keeps it;
 * - given a free frame an owner, or written to it, without having allocated it.
 *
 * A search that reduces schedules must know what a verdict depends on: the flags of a folio whose
 * mapping, index or private state changed count as read by the step. (Who frees a frame poisons
 * it, which a write to it depends on as it is.) A step costs a look at each
 * frame.
 */
import { POISON_WORD } from "../../memory/frames.ts";
import { MAPPING_FLAGS, MAPPING_MOVABLE } from "../../memory/mapping-word.ts";
import type { Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { isTracked, unrecorded } from "../../sched/explore/touch.ts";
import { readElement } from "../../sched/explore/tracked/elements.ts";
import type { Task } from "../../sched/task.ts";
import { ContractError } from "./contract-error.ts";

/** Flags that a frame may have while it is free; anybody may lock what they find by its number. */
const OF_FREE = PG.buddy | PG.locked | PG.waiters;

/** In `holders`: nobody, or somebody before the tasks ran. */
const UNKNOWN = -1;

export class StepWatch {
  private readonly mem: Memory;
  private readonly tasks: readonly Task[];
  /** By frame: who has locked it, as an index of `tasks`. */
  private readonly holders: Int32Array;
  private readonly flags: Int32Array;
  private readonly refcount: Int32Array;
  private readonly mapping: Int32Array;
  private readonly index: Int32Array;
  private readonly private: Int32Array;
  private readonly firstWords: Int32Array;
  /** Folios of which the last step changed what only the holder of their lock may change. */
  private readonly judgedByFlags: number[] = [];
  private hasBegun = false;

  /** `tasks` may grow. */
  constructor(mem: Memory, tasks: readonly Task[]) {
    const { pageCount } = mem;
    this.mem = mem;
    this.tasks = tasks;
    this.holders = new Int32Array(pageCount).fill(UNKNOWN);
    this.flags = new Int32Array(pageCount);
    this.refcount = new Int32Array(pageCount);
    this.mapping = new Int32Array(pageCount);
    this.index = new Int32Array(pageCount);
    this.private = new Int32Array(pageCount);
    this.firstWords = new Int32Array(pageCount);
  }

  /** The tasks are about to run. */
  begin(): void {
    this.hasBegun = true;
    unrecorded(() => this.keep());
  }

  /** Throws a `ContractError`. `task` is null for what was due. */
  afterStep(task: Task | null): void {
    if (!this.hasBegun) return;
    // What the watch reads is no part of the step, but for what its verdict depends on.
    unrecorded(() => this.compare(task));
    for (const pfn of this.judgedByFlags) readElement(this.mem.flags, pfn);
  }

  private compare(task: Task | null): void {
    const { mem, flags, holders, judgedByFlags } = this;
    judgedByFlags.length = 0;
    const actor = task === null ? UNKNOWN : this.tasks.indexOf(task);
    for (let pfn = 0; pfn < flags.length; pfn++) {
      if (this.isSame(pfn)) continue;
      if (isTracked() && this.isOwnedOtherwise(pfn)) judgedByFlags.push(pfn);
      if (this.wasFree(pfn) && this.isFree(pfn)) this.checkFree(pfn, task);
      else if (task !== null) this.checkLocked(pfn, actor);
      const [had, has] = [flags[pfn] & PG.locked, mem.flags[pfn] & PG.locked];
      if (has === 0) holders[pfn] = UNKNOWN;
      else if (had === 0) holders[pfn] = actor;
    }
    this.keep();
  }

  /** Who has locked the folio, as far as is known. */
  holderOf(pfn: number): string {
    return this.tasks[this.holders[pfn]]?.name ?? "nobody known";
  }

  private keep(): void {
    const { mem, firstWords } = this;
    const { frames } = mem;
    this.flags.set(mem.flags);
    this.refcount.set(mem.refcount);
    this.mapping.set(mem.mapping);
    this.index.set(mem.index);
    this.private.set(mem.private);
    for (let pfn = 0; pfn < firstWords.length; pfn++) {
      firstWords[pfn] = frames.readWord(pfn as Pfn, 0);
    }
  }

  private isSame(pfn: number): boolean {
    const { mem } = this;
    return (
      this.flags[pfn] === mem.flags[pfn] &&
      this.refcount[pfn] === mem.refcount[pfn] &&
      this.mapping[pfn] === mem.mapping[pfn] &&
      this.index[pfn] === mem.index[pfn] &&
      this.private[pfn] === mem.private[pfn] &&
      this.firstWords[pfn] === mem.frames.readWord(pfn as Pfn, 0)
    );
  }

  /** What only the holder of the lock may change has changed. */
  private isOwnedOtherwise(pfn: number): boolean {
    const { mem } = this;
    return (
      this.mapping[pfn] !== mem.mapping[pfn] ||
      this.index[pfn] !== mem.index[pfn] ||
      this.private[pfn] !== mem.private[pfn]
    );
  }

  private wasFree(pfn: number): boolean {
    const isUnowned = this.refcount[pfn] === 0 && this.mapping[pfn] === 0;
    return isUnowned && (this.flags[pfn] & ~OF_FREE) === 0;
  }

  private isFree(pfn: number): boolean {
    const { mem } = this;
    return mem.refcount[pfn] === 0 && (mem.flags[pfn] & ~OF_FREE) === 0;
  }

  /** What was allocated and freed again in the one step has been poisoned. */
  private checkFree(pfn: number, task: Task | null): void {
    const { mem, firstWords } = this;
    const who = task?.name ?? "an interrupt";
    if (mem.mapping[pfn] !== 0) {
      throw new ContractError(`use after free: ${who} has given the free frame ${pfn} an owner`);
    }
    const word = mem.frames.readWord(pfn as Pfn, 0);
    if (word === firstWords[pfn] || word === POISON_WORD) return;
    throw new ContractError(`use after free: ${who} has written to the free frame ${pfn}`);
  }

  private checkLocked(pfn: number, actor: number): void {
    const { mem, holders } = this;
    const holder = holders[pfn];
    const wasAndIs = this.flags[pfn] & mem.flags[pfn];
    if ((wasAndIs & PG.locked) === 0 || holder === UNKNOWN || holder === actor) return;
    const isDrivers = (this.mapping[pfn] & MAPPING_FLAGS) === MAPPING_MOVABLE;
    if (isDrivers) return;
    this.isKept(pfn, actor, "mapping", this.mapping, mem.mapping);
    this.isKept(pfn, actor, "index", this.index, mem.index);
    this.isKept(pfn, actor, "private", this.private, mem.private);
  }

  private isKept(
    pfn: number,
    actor: number,
    what: string,
    before: Int32Array,
    after: Int32Array,
  ): void {
    if (before[pfn] === after[pfn]) return;
    const change = `${what} of folio ${pfn} from ${before[pfn]} to ${after[pfn]}`;
    const who = this.tasks[actor].name;
    throw new ContractError(`${who} has changed ${change}, which ${this.holderOf(pfn)} has locked`);
  }
}
