import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIGRATE, MIGRATE_TYPES, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import type { MatchInput } from "./block-match.ts";
import { tiltedCosts } from "./block-tilt.ts";
import { solvePositive } from "./solve-positive.ts";

test("a positive definite system is solved", () => {
  const vector = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 4, maxLength: 4 });
  const property = fc.property(fc.array(vector, { maxLength: 6 }), vector, (rows, wanted) => {
    // The identity and outer products: positive definite by construction.
    const matrix = Float64Array.from({ length: 16 }, (_, at) => (at % 5 === 0 ? 1 : 0));
    for (const row of rows) {
      for (let at = 0; at < 16; at++) matrix[at] += row[at >> 2] * row[at & 3];
    }
    const right = Float64Array.from({ length: 4 }, (_, row) =>
      wanted.reduce((sum, each, column) => sum + matrix[4 * row + column] * each, 0),
    );
    const x = solvePositive(matrix, right);
    for (const [row, each] of wanted.entries()) assert.ok(Math.abs(x[row] - each) < 1e-4);
  });
  fc.assert(property);
});

/** Four blocks of which content says nothing: two with single free pages, two with large ones. */
function inputOf(wantedFree: readonly number[] | null): MatchInput {
  const free = new Uint16Array(4 * PAGEBLOCK_ORDER);
  free[0] = free[PAGEBLOCK_ORDER] = 50;
  free[2 * PAGEBLOCK_ORDER + 5] = free[3 * PAGEBLOCK_ORDER + 5] = 4;
  return {
    count: 4,
    cost: new Float32Array(4 * MIGRATE_TYPES),
    free,
    wanted: [2, 0, 0, 0, 0, 0],
    wantedFree: [wantedFree, null, null, null, null, null],
    weight: Array.from({ length: MIGRATE_TYPES }, () => new Array(PAGEBLOCK_ORDER).fill(1)),
  };
}

/** How much less each block costs as unmovable than as movable. */
function gainsOf(input: MatchInput): number[] {
  const cost = tiltedCosts(input);
  return Array.from({ length: input.count }, (_, candidate) => {
    const row = candidate * MIGRATE_TYPES;
    return cost[row + MIGRATE.movable] - cost[row + MIGRATE.unmovable];
  });
}

test("a block whose free blocks are what a list lacks becomes cheaper for its type", () => {
  const single = gainsOf(inputOf([100, 0, 0, 0, 0, 0, 0, 0, 0]));
  assert.ok(single[0] > 1 && single[1] > 1 && single[2] < -1 && single[3] < -1, `${single}`);
  const large = gainsOf(inputOf([0, 0, 0, 0, 0, 8, 0, 0, 0]));
  assert.ok(large[0] < -1 && large[1] < -1 && large[2] > 1 && large[3] > 1, `${large}`);
});

test("without a list all that content leaves equal stay equal", () => {
  const gains = gainsOf(inputOf(null));
  for (const gain of gains) assert.ok(Math.abs(gain - gains[0]) < 1e-6);
});

test("a list that no choice can give still ends in numbers", () => {
  for (const gain of gainsOf(inputOf([9999, 77, 0, 0, 0, 0, 0, 0, 4]))) {
    assert.ok(Number.isFinite(gain));
  }
});
