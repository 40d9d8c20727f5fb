/**
 * One call of an owner's operation, checked on entry and on return.
 *
 * What others may change meanwhile is held to less: that a count is as before is asked only if
 * nobody else has stepped since the call began (`isQuiet`). In a search that reduces schedules
 * a quiet one stands for those that are not: what is asked then is asked in one of them.
 */
import { folioMapped } from "../../memory/folio.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { type PageFlag, PG } from "../../memory/page-flags.ts";
import { flagNames } from "../tell/folio-words.ts";
import { ContractError } from "./contract-error.ts";

/** Counts how often another actor came on. Of a search: its `ChoicePoints`. */
export interface Turns {
  readonly turn: number;
}

/** What a folio was at one moment. */
export interface FolioSight {
  readonly flags: number;
  readonly refcount: number;
  readonly mapping: number;
  readonly index: number;
  readonly private: number;
  readonly next: number;
  readonly prev: number;
}

/** Flags that only the holder of the folio's lock may change, whoever else has a reference. */
const UNDER_LOCK =
  PG.locked | PG.uptodate | PG.lru | PG.ownerPriv1 | PG.private | PG.private2 | PG.swapbacked;

export class Contract {
  private readonly mem: Memory;
  /** Whose, and which operation. */
  private readonly who: string;
  private readonly turns: Turns;
  private readonly began: number;

  constructor(mem: Memory, owner: string, operation: string, turns: Turns) {
    this.mem = mem;
    this.who = `${owner}, ${operation}`;
    this.turns = turns;
    this.began = turns.turn;
  }

  /** Whether nobody else has stepped since the call began. */
  get isQuiet(): boolean {
    return this.turns.turn === this.began;
  }

  sight(folio: Folio): FolioSight {
    const { flags, refcount, mapping, index, next, prev } = this.mem;
    return {
      flags: flags[folio],
      refcount: refcount[folio],
      mapping: mapping[folio],
      index: index[folio],
      private: this.mem.private[folio],
      next: next[folio],
      prev: prev[folio],
    };
  }

  /** `when` is "on entry", or "after" what the operation answered. */
  holds(condition: boolean, when: string, found: string, expected: string): void {
    if (!condition) {
      throw new ContractError(`${this.who}, ${when}: found ${found}, expected ${expected}`);
    }
  }

  has(folio: Folio, name: string, flag: PageFlag, when: string): void {
    this.holds(
      (this.mem.flags[folio] & flag) !== 0,
      when,
      ...this.words(folio, name, flag, "with"),
    );
  }

  lacks(folio: Folio, name: string, flag: PageFlag, when: string): void {
    const words = this.words(folio, name, flag, "without");
    this.holds((this.mem.flags[folio] & flag) === 0, when, ...words);
  }

  isUnmapped(folio: Folio, name: string, when: string): void {
    const found = `${name} ${folio} with mappings`;
    this.holds(!folioMapped(this.mem, folio), when, found, "none in any page table");
  }

  /** The folio is as it was when it was seen, in all that only the holder of its lock changes. */
  isAsBefore(folio: Folio, name: string, before: FolioSight, when: string): void {
    const now = this.sight(folio);
    for (const field of ["mapping", "index", "private"] as const) {
      this.isSame(folio, name, field, before[field], now[field], when);
    }
    const [had, has] = [before.flags & UNDER_LOCK, now.flags & UNDER_LOCK];
    const found = `${name} ${folio} with ${flagNames(has, now.mapping).join(" ")}`;
    this.holds(had === has, when, found, flagNames(had, before.mapping).join(" "));
    if (!this.isQuiet) return;
    this.isSame(folio, name, "refcount", before.refcount, now.refcount, when);
  }

  isSame(
    folio: Folio,
    name: string,
    field: keyof FolioSight,
    expected: number,
    found: number,
    when: string,
  ): void {
    const what = `${field} ${found} of ${name} ${folio}`;
    this.holds(found === expected, when, what, `${expected}`);
  }

  private words(
    folio: Folio,
    name: string,
    flag: PageFlag,
    preposition: string,
  ): [found: string, expected: string] {
    const { flags, mapping } = this.mem;
    const set = flagNames(flags[folio], mapping[folio]).join(" ");
    const [wanted] = flagNames(flag, mapping[folio]);
    return [`${name} ${folio} with ${set === "" ? "no flags" : set}`, `${preposition} ${wanted}`];
  }
}
