/**
 * Seeded random numbers: the same seed gives the same run on every machine.
 *
 * xorshift32 (Marsaglia, 2003, "Xorshift RNGs", the triple 13, 17, 5): plain integer steps that a
 * hot loop can afford. Not for secrets.
 */
export class Random {
  private state: number;

  constructor(seed: number) {
    // Zero is the one state that xorshift never leaves; mixing keeps neighbouring seeds apart.
    this.state = mix32(seed) || 1;
  }

  /** The next 32 bits, as a signed integer. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return (this.next() >>> 0) % limit;
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() >>> 0 < probability * 0x100000000;
  }
}

/** Spreads every bit of `x` over all 32 bits of the result (the finisher of MurmurHash3). */
export function mix32(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
