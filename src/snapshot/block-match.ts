/**
 * Chooses types for pageblocks so that both their contents and the kernel's own counts agree.
 *
 * Given: for each pageblock a cost of each type (how badly the content fits), how many pageblocks
 * have each type, and how many free blocks of each order lie on each type's lists. First the best
 * fits take their types, by costs that the lists have tilted (block-tilt.ts). Then pairs trade, by
 * simulated annealing (Kirkpatrick et al., 1983), so that the total falls: the costs, plus how far
 * the free blocks of each type are from the kernel's count. The number of each type stays exact,
 * and the same input gives the same types.
 */
import { Random } from "../base/random.ts";
import { MIGRATE, MIGRATE_TYPES, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { tiltedCosts } from "./block-tilt.ts";

/** Rows are candidates, pageblocks whose type is sought. */
export interface MatchInput {
  /** Number of candidates. */
  readonly count: number;
  /** Row `candidate * MIGRATE_TYPES + type`; lower fits better. */
  readonly cost: Float32Array;
  /** Row `candidate * PAGEBLOCK_ORDER + order`: free blocks in the candidate. */
  readonly free: Uint16Array;
  /** How many candidates have each type; the sum is at most `count`, the rest is movable. */
  readonly wanted: readonly number[];
  /** Free blocks by type, then order; null for a type whose count is not known. */
  readonly wantedFree: readonly (readonly number[] | null)[];
  /** By type, then order: what one free block too many or too few on the list costs. */
  readonly weight: readonly (readonly number[])[];
}

export interface Matched {
  /** By candidate. */
  readonly types: Uint8Array;
  /** Costs and free blocks on wrong lists together: lower is better. */
  readonly total: number;
}

/** Movable candidates that may trade, for each that is not movable; those that fit worst. */
const PLAIN_PER_TYPED = 4;
const MIN_PLAIN = 256;
/** Trades tried for each trader, and their bounds. */
const TRIES_PER_TRADER = 2000;
const MAX_TRIES = 1_000_000;
/** Low: the first choice is good, and only its mistakes are to be undone. */
const HOTTEST = 2;
const COLDEST = 0.01;
const SEED = 1;

/** Types for all candidates. */
export function matchTypes(input: MatchInput): Matched {
  const types = firstChoice(input, tiltedCosts(input));
  const match = new Match(input, types);
  match.anneal();
  return { types, total: match.total() };
}

/** Free blocks of each type and order in the candidates, as they are typed. */
export function freeByType(input: MatchInput, types: Uint8Array): number[][] {
  const sums = Array.from({ length: MIGRATE_TYPES }, () =>
    new Array<number>(PAGEBLOCK_ORDER).fill(0),
  );
  for (let candidate = 0; candidate < input.count; candidate++) {
    const sum = sums[types[candidate]];
    for (let order = 0; order < PAGEBLOCK_ORDER; order++) {
      sum[order] += input.free[candidate * PAGEBLOCK_ORDER + order];
    }
  }
  return sums;
}

/** The candidates that fit movable worst by `cost` get the other types, best fits first. */
function firstChoice(input: MatchInput, cost: Float32Array): Uint8Array {
  const { count } = input;
  const types = new Uint8Array(count).fill(MIGRATE.movable);
  for (const [type, wanted] of input.wanted.entries()) {
    if (type === MIGRATE.movable || wanted === 0) continue;
    const gain = new Float32Array(count);
    for (let candidate = 0; candidate < count; candidate++) {
      const row = candidate * MIGRATE_TYPES;
      gain[candidate] = cost[row + MIGRATE.movable] - cost[row + type];
    }
    const order = candidatesOfType(types, MIGRATE.movable).sort((a, b) => gain[b] - gain[a]);
    for (const candidate of order.subarray(0, wanted)) types[candidate] = type;
  }
  return types;
}

function candidatesOfType(types: Uint8Array, type: number): Uint32Array {
  const members: number[] = [];
  for (let candidate = 0; candidate < types.length; candidate++) {
    if (types[candidate] === type) members.push(candidate);
  }
  return Uint32Array.from(members);
}

class Match {
  private readonly input: MatchInput;
  private readonly types: Uint8Array;
  /** Wanted minus present, row `type * PAGEBLOCK_ORDER + order`. */
  private readonly lack: Float64Array;
  /** What one missing free block costs, same rows; 0 where the count is not known. */
  private readonly weight: Float64Array;
  /** Candidates that are not movable, and movable ones that may become something else. */
  private readonly typed: Uint32Array;
  private readonly plain: Uint32Array;

  constructor(input: MatchInput, types: Uint8Array) {
    this.input = input;
    this.types = types;
    this.lack = new Float64Array(MIGRATE_TYPES * PAGEBLOCK_ORDER);
    this.weight = new Float64Array(MIGRATE_TYPES * PAGEBLOCK_ORDER);
    const present = freeByType(input, types);
    for (const [type, wanted] of input.wantedFree.entries()) {
      for (let order = 0; wanted && order < PAGEBLOCK_ORDER; order++) {
        const row = type * PAGEBLOCK_ORDER + order;
        this.lack[row] = wanted[order] - present[type][order];
        this.weight[row] = input.weight[type][order];
      }
    }
    const movable = candidatesOfType(types, MIGRATE.movable);
    this.typed = Uint32Array.from(types.keys()).filter((each) => types[each] !== MIGRATE.movable);
    movable.sort((a, b) => this.costOfLeaving(a) - this.costOfLeaving(b));
    this.plain = movable.slice(0, Math.max(MIN_PLAIN, this.typed.length * PLAIN_PER_TYPED));
  }

  total(): number {
    let total = 0;
    for (const [row, lack] of this.lack.entries()) total += this.weight[row] * Math.abs(lack);
    for (const [candidate, type] of this.types.entries()) {
      total += this.input.cost[candidate * MIGRATE_TYPES + type];
    }
    return total;
  }

  /** Trades at random, taking losses that a falling temperature allows ever more rarely. */
  anneal(): void {
    const { typed, plain, types } = this;
    if (typed.length === 0 || plain.length === 0) return;
    const random = new Random(SEED);
    const tries = Math.min(MAX_TRIES, (typed.length + plain.length) * TRIES_PER_TRADER);
    const cooling = (COLDEST / HOTTEST) ** (1 / tries);
    let temperature = HOTTEST;
    for (let n = 0; n < tries; n++, temperature *= cooling) {
      const at = random.below(typed.length);
      const giver = typed[at];
      const among = n % 4 === 0 ? typed : plain;
      const to = random.below(among.length);
      const taker = among[to];
      if (types[giver] === types[taker]) continue;
      const gain = this.gain(giver, taker);
      if (gain < 0 && !random.chance(Math.exp(gain / temperature))) continue;
      this.swap(giver, taker);
      if (among === typed) continue;
      typed[at] = taker;
      plain[to] = giver;
    }
  }

  /** How much more a movable candidate would cost as the other type that fits it best. */
  private costOfLeaving(candidate: number): number {
    const { cost, wanted } = this.input;
    const row = candidate * MIGRATE_TYPES;
    let best = Number.POSITIVE_INFINITY;
    for (let type = 0; type < MIGRATE_TYPES; type++) {
      if (wanted[type] > 0) best = Math.min(best, cost[row + type]);
    }
    return best - cost[row + MIGRATE.movable];
  }

  /** How much lower the total is once the two have traded types. */
  private gain(giver: number, taker: number): number {
    const { cost, free } = this.input;
    const a = this.types[giver];
    const b = this.types[taker];
    const giverRow = giver * MIGRATE_TYPES;
    const takerRow = taker * MIGRATE_TYPES;
    let gain = cost[giverRow + a] + cost[takerRow + b] - cost[giverRow + b] - cost[takerRow + a];
    for (let order = 0; order < PAGEBLOCK_ORDER; order++) {
      const moved = free[giver * PAGEBLOCK_ORDER + order] - free[taker * PAGEBLOCK_ORDER + order];
      if (moved === 0) continue;
      gain += this.lackGain(a * PAGEBLOCK_ORDER + order, moved);
      gain += this.lackGain(b * PAGEBLOCK_ORDER + order, -moved);
    }
    return gain;
  }

  /** What is gained if the lack of a row grows by `change`. */
  private lackGain(row: number, change: number): number {
    return this.weight[row] * (Math.abs(this.lack[row]) - Math.abs(this.lack[row] + change));
  }

  private swap(giver: number, taker: number): void {
    const { free } = this.input;
    const a = this.types[giver];
    const b = this.types[taker];
    this.types[giver] = b;
    this.types[taker] = a;
    for (let order = 0; order < PAGEBLOCK_ORDER; order++) {
      const moved = free[giver * PAGEBLOCK_ORDER + order] - free[taker * PAGEBLOCK_ORDER + order];
      this.lack[a * PAGEBLOCK_ORDER + order] += moved;
      this.lack[b * PAGEBLOCK_ORDER + order] -= moved;
    }
  }
}
