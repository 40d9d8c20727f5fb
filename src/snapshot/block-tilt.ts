/**
 * The soft half of choosing types: costs corrected by what the free lists say on average.
 *
 * Each type has a price for a block, and for a free block of each order in it. A candidate is of a
 * type with a probability that falls with its cost less those prices (of all distributions with the
 * same averages the one that assumes least, Jaynes 1957), and prices are such that the expected
 * blocks and free blocks are the wanted ones, as closely as the lists' weights ask. They lie at the
 * minimum of a convex function, which Newton's method with a halving step finds. Movable is the
 * type that the others are compared with: its prices are 0.
 */
import { MIGRATE, MIGRATE_TYPES, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import type { MatchInput } from "./block-match.ts";
import { solvePositive } from "./solve-positive.ts";

/** Facts of a candidate that have a price: that it is a block, and its free blocks by order. */
const FACTS = 1 + PAGEBLOCK_ORDER;
/** The number of blocks of a type is exact, but what would make it so may be out of reach. */
const COUNT_VARIANCE = 0.01;
/** Of a list whose length is not known: as good as no wish at all. */
const UNKNOWN_VARIANCE = 1e12;
const MAX_STEPS = 40;
const MAX_HALVINGS = 30;
/** A step that gains less than this is the last. */
const WORTH_A_STEP = 1e-3;
/** A candidate whose type is as good as certain does not bend the function. */
const NO_CURVATURE = 1e-9;

/** Costs as in `MatchInput.cost`, less the prices of each type. */
export function tiltedCosts(input: MatchInput): Float32Array {
  const types = [...input.wanted.keys()].filter(
    (type) => type !== MIGRATE.movable && input.wanted[type] > 0,
  );
  const tilt = new Tilt(input, types);
  tilt.minimize();
  const cost = input.cost.slice();
  for (let candidate = 0; candidate < input.count; candidate++) {
    for (const [slot, type] of types.entries()) {
      cost[candidate * MIGRATE_TYPES + type] -= tilt.worth(candidate, slot);
    }
  }
  return cost;
}

class Tilt {
  private readonly input: MatchInput;
  /** Types other than movable that are wanted; their number here is their slot. */
  private readonly types: readonly number[];
  /** Row `slot * FACTS + fact`, as are all vectors here. */
  private prices: Float64Array;
  private readonly wanted: Float64Array;
  /** How far from the wanted sums the expected ones may be, squared. */
  private readonly variance: Float64Array;
  /** By slot, of the candidate looked at last. */
  private readonly odds: Float64Array;

  constructor(input: MatchInput, types: readonly number[]) {
    this.input = input;
    this.types = types;
    const size = types.length * FACTS;
    this.prices = new Float64Array(size);
    this.wanted = new Float64Array(size);
    this.variance = new Float64Array(size).fill(UNKNOWN_VARIANCE);
    this.odds = new Float64Array(types.length);
    for (const [slot, type] of types.entries()) {
      const row = slot * FACTS;
      this.wanted[row] = input.wanted[type];
      this.variance[row] = COUNT_VARIANCE;
      const free = input.wantedFree[type];
      for (let order = 0; free && order < PAGEBLOCK_ORDER; order++) {
        this.wanted[row + 1 + order] = free[order];
        this.variance[row + 1 + order] = 1 / input.weight[type][order] ** 2;
      }
    }
  }

  /** What being of a type is worth to a candidate, by the prices. */
  worth(candidate: number, slot: number): number {
    const { free } = this.input;
    let worth = this.prices[slot * FACTS];
    for (let order = 0; order < PAGEBLOCK_ORDER; order++) {
      worth += this.prices[slot * FACTS + 1 + order] * free[candidate * PAGEBLOCK_ORDER + order];
    }
    return worth;
  }

  minimize(): void {
    const size = this.prices.length;
    const slope = new Float64Array(size);
    const curvature = new Float64Array(size * size);
    for (let step = 0; step < MAX_STEPS; step++) {
      const value = this.value();
      this.derive(slope, curvature);
      const way = solvePositive(curvature, slope);
      const promised = slope.reduce((sum, each, row) => sum + each * way[row], 0);
      if (promised < WORTH_A_STEP || !this.descend(value, way, promised)) return;
    }
  }

  /** Goes down along `way` as far as it pays; false if it does not pay at all. */
  private descend(value: number, way: Float64Array, promised: number): boolean {
    const from = this.prices;
    for (let length = 1, n = 0; n < MAX_HALVINGS; length /= 2, n++) {
      this.prices = from.map((price, row) => price - length * way[row]);
      if (this.value() <= value - 1e-4 * length * promised) return true;
    }
    this.prices = from;
    return false;
  }

  private value(): number {
    let value = 0;
    for (let candidate = 0; candidate < this.input.count; candidate++) {
      value += this.weigh(candidate);
    }
    for (const [row, price] of this.prices.entries()) {
      value += price * (0.5 * this.variance[row] * price - this.wanted[row]);
    }
    return value;
  }

  /** Fills `odds` for a candidate; returns the logarithm of what they were divided by. */
  private weigh(candidate: number): number {
    const { cost } = this.input;
    const { odds, types } = this;
    const row = candidate * MIGRATE_TYPES;
    let most = 0;
    for (let slot = 0; slot < types.length; slot++) {
      const fit = cost[row + MIGRATE.movable] - cost[row + types[slot]];
      odds[slot] = fit + this.worth(candidate, slot);
      most = Math.max(most, odds[slot]);
    }
    let sum = Math.exp(-most);
    for (let slot = 0; slot < types.length; slot++) {
      odds[slot] = Math.exp(odds[slot] - most);
      sum += odds[slot];
    }
    for (let slot = 0; slot < types.length; slot++) odds[slot] /= sum;
    return most + Math.log(sum);
  }

  /** First and second derivatives at the prices. */
  private derive(slope: Float64Array, curvature: Float64Array): void {
    const size = slope.length;
    curvature.fill(0);
    for (let row = 0; row < size; row++) {
      slope[row] = this.variance[row] * this.prices[row] - this.wanted[row];
      curvature[row * size + row] = this.variance[row];
    }
    const facts = new Float64Array(FACTS);
    for (let candidate = 0; candidate < this.input.count; candidate++) {
      this.weigh(candidate);
      this.readFacts(candidate, facts);
      for (let slot = 0; slot < this.types.length; slot++) {
        const likely = this.odds[slot];
        for (let fact = 0; fact < FACTS; fact++) slope[slot * FACTS + fact] += likely * facts[fact];
        for (let other = 0; other < this.types.length; other++) {
          const bend = (slot === other ? likely : 0) - likely * this.odds[other];
          if (Math.abs(bend) < NO_CURVATURE) continue;
          addOuter(curvature, size, slot * FACTS, other * FACTS, facts, bend);
        }
      }
    }
  }

  private readFacts(candidate: number, facts: Float64Array): void {
    const { free } = this.input;
    facts[0] = 1;
    for (let order = 0; order < PAGEBLOCK_ORDER; order++) {
      facts[1 + order] = free[candidate * PAGEBLOCK_ORDER + order];
    }
  }
}

/** Adds `scale * facts * factsᵀ` to the square of `matrix` that starts at (`row`, `column`). */
function addOuter(
  matrix: Float64Array,
  size: number,
  row: number,
  column: number,
  facts: Float64Array,
  scale: number,
): void {
  for (let a = 0; a < FACTS; a++) {
    if (facts[a] === 0) continue;
    const at = (row + a) * size + column;
    for (let b = 0; b < FACTS; b++) matrix[at + b] += scale * facts[a] * facts[b];
  }
}
