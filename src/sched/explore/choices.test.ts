import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Choices } from "./choices.ts";

/** A program as a tree: each node has as many choices as children, a leaf is an end. */
interface Tree {
  readonly children: readonly Tree[];
}

const tree: (depth?: number) => fc.Arbitrary<Tree> = fc.memo((depth) =>
  fc.record({
    children: depth <= 1 ? fc.constant([]) : fc.array(tree(depth - 1), { maxLength: 3 }),
  }),
);
const trees = tree(5);

/** Walks from the root to a leaf; the choices on the way. */
function walk(tree: Tree, choices: Choices): number[] {
  const way: number[] = [];
  for (let at = tree; at.children.length > 0; at = at.children[way[way.length - 1]]) {
    way.push(choices.choose(at.children.length));
  }
  return way;
}

function leavesOf(tree: Tree, way: readonly number[] = []): number[][] {
  if (tree.children.length === 0) return [[...way]];
  return tree.children.flatMap((child, i) => leavesOf(child, [...way, i]));
}

function allWalks(tree: Tree): number[][] {
  const choices = new Choices();
  const walks: number[][] = [];
  do walks.push(walk(tree, choices));
  while (choices.advance());
  return walks;
}

test("every sequence of choices runs exactly once, in order", () => {
  fc.assert(fc.property(trees, (tree) => assert.deepEqual(allWalks(tree), leavesOf(tree))));
});

test("each sequence is replayed by its string", () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const choices = new Choices();
      do {
        const way = walk(tree, choices);
        assert.equal(choices.toString(), way.join("."));
        const replay = new Choices(choices.toString());
        assert.deepEqual(walk(tree, replay), way);
        replay.assertSpent();
      } while (choices.advance());
    }),
  );
});

test("a replay that ends early goes on with the first choice each time", () => {
  const choices = new Choices("2.1");
  const chosen = [3, 2, 4, 5].map((limit) => choices.choose(limit));
  assert.deepEqual(chosen, [2, 1, 0, 0]);
});

test("a program that chooses differently the second time is not deterministic", () => {
  const choices = new Choices();
  choices.choose(2);
  choices.choose(2);
  choices.advance();
  assert.throws(() => choices.choose(3), /the program is not deterministic: at choice 1/);
  assert.throws(() => choices.choose(0), /nothing to choose from/);
});

test("a string that is no sequence of choices is refused with what was expected", () => {
  for (const text of ["a", "0.", ".1", "0..1", "-1", "0,1", " 0", "1.5e3"]) {
    assert.throws(() => new Choices(text), {
      name: "InputError",
      message: `schedule: found ${JSON.stringify(text)}, expected choices as in 0.2.1`,
    });
  }
});
