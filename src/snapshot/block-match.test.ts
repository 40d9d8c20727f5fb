import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.ts";
import { MIGRATE, MIGRATE_TYPES, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { freeByType, type MatchInput, matchTypes } from "./block-match.ts";

/**
 * Candidates of known types. Of the content's costs a share, `noise`, tells nothing. Free blocks of
 * unmovable and reclaimable candidates are of other sizes than those of movable ones, as they are
 * where the kernel takes pages by the folio and processes one by one; they are counted exactly.
 */
function inputOf(truth: Uint8Array, noise: number, seed: number): MatchInput {
  const random = new Random(seed);
  const count = truth.length;
  const free = new Uint16Array(count * PAGEBLOCK_ORDER).map((_, row) => {
    const order = row % PAGEBLOCK_ORDER;
    const isMovable = truth[Math.floor(row / PAGEBLOCK_ORDER)] === MIGRATE.movable;
    return random.below(isMovable ? 40 >> order : 8 + order);
  });
  const cost = new Float32Array(count * MIGRATE_TYPES);
  for (let row = 0; row < count; row++) {
    for (let type = 0; type < MIGRATE_TYPES; type++) {
      cost[row * MIGRATE_TYPES + type] = random.chance(noise) || truth[row] === type ? 0 : 12;
    }
  }
  const wanted = Array.from({ length: MIGRATE_TYPES }, (_, type) =>
    type === MIGRATE.movable ? 0 : truth.filter((each) => each === type).length,
  );
  const weight = Array.from({ length: MIGRATE_TYPES }, () => new Array(PAGEBLOCK_ORDER).fill(1));
  const input: MatchInput = { count, cost, free, wanted, wantedFree: [], weight };
  return { ...input, wantedFree: freeByType(input, truth) };
}

function typesOf(count: number, shareOfKernels: number, seed: number): Uint8Array {
  const random = new Random(seed);
  return new Uint8Array(count).map(() => {
    if (!random.chance(shareOfKernels)) return MIGRATE.movable;
    return random.chance(0.5) ? MIGRATE.unmovable : MIGRATE.reclaimable;
  });
}

function countByType(types: Uint8Array): number[] {
  return Array.from(
    { length: MIGRATE_TYPES },
    (_, type) => types.filter((each) => each === type).length,
  );
}

test("the number of each type is as wanted, whatever the content says", () => {
  for (const noise of [0, 0.5, 1]) {
    const truth = typesOf(300, 0.2, 1);
    const { types } = matchTypes(inputOf(truth, noise, 2));
    assert.deepEqual(countByType(types), countByType(truth));
  }
});

test("where content tells, it alone decides", () => {
  const truth = typesOf(500, 0.3, 3);
  assert.deepEqual(matchTypes(inputOf(truth, 0, 4)).types, truth);
});

test("free blocks on the right lists find the types that content leaves open", () => {
  // Few enough that only one choice has these counts, by odds of a great many to one.
  const truth = Uint8Array.of(...new Array(14).fill(MIGRATE.movable), 0, 0, 2, 0, 2, 0);
  const input = inputOf(truth, 1, 5);
  const { types, total } = matchTypes(input);
  assert.deepEqual(types, truth);
  assert.equal(total, 0);
});

test("free lists undo most of what content alone gets wrong", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const truth = typesOf(400, 0.2, seed);
    const input = inputOf(truth, 0.6, seed + 50);
    const noLists = { ...input, wantedFree: input.wantedFree.map(() => null) };
    const wrong = (types: Uint8Array): number =>
      types.filter((type, i) => (type === MIGRATE.movable) !== (truth[i] === MIGRATE.movable))
        .length;
    const byContent = wrong(matchTypes(noLists).types);
    const byBoth = wrong(matchTypes(input).types);
    assert.ok(byContent > 40, `content alone gets ${byContent} wrong`);
    assert.ok(byBoth < byContent / 2, `${byBoth} wrong with lists, ${byContent} without`);
  }
});

test("the same input gives the same types", () => {
  const input = inputOf(typesOf(200, 0.3, 7), 0.7, 8);
  assert.deepEqual(matchTypes(input), matchTypes(input));
});

test("nothing to choose among is no trouble", () => {
  const none = inputOf(new Uint8Array(0), 0, 1);
  assert.equal(matchTypes(none).types.length, 0);
  const allMovable = inputOf(new Uint8Array(20).fill(MIGRATE.movable), 0, 1);
  assert.deepEqual(countByType(matchTypes(allMovable).types)[MIGRATE.movable], 20);
});
