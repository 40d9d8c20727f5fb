import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Folio } from "../memory/memmap.ts";
import { FolioIndex } from "./folio-index.ts";

/** The folio in each slot in use, by page offset. */
type Model = Map<number, Folio>;
type IndexCommand = fc.Command<Model, FolioIndex>;

/** Offsets in a few nodes of 64 slots, over their borders and far away. */
const OFFSET = fc.oneof(fc.nat({ max: 200 }), fc.integer({ min: 0x7fff_ff00, max: 0x7fff_ffc0 }));
const ORDER = fc.constantFrom(0, 0, 0, 1, 3, 5);
const FOLIO = fc.integer({ min: 1, max: 1000 }).map((pfn) => pfn as Folio);

function isFree(model: Readonly<Model>, offset: number, pages: number): boolean {
  for (let at = offset; at < offset + pages; at++) if (model.has(at)) return false;
  return true;
}

function assertSame(model: Model, index: FolioIndex): void {
  assert.equal(index.pageCount, model.size);
  const seen: Model = new Map();
  index.forEach((offset, folio) => {
    assert.equal(seen.has(offset), false, "no offset comes twice");
    seen.set(offset, folio);
  });
  const byOffset = (map: Model): [number, Folio][] => [...map].sort(([a], [b]) => a - b);
  assert.deepEqual(byOffset(seen), byOffset(model));
  for (const [offset, folio] of model) assert.equal(index.load(offset), folio);
}

function command(
  name: string,
  check: (model: Readonly<Model>) => boolean,
  run: (model: Model, index: FolioIndex) => void,
): IndexCommand {
  return {
    check,
    run(model, index) {
      run(model, index);
      assertSame(model, index);
    },
    toString: () => name,
  };
}

const COMMANDS = [
  fc.tuple(OFFSET, ORDER, FOLIO).map(([unaligned, order, folio]) => {
    const pages = 1 << order;
    const offset = unaligned - (unaligned % pages);
    return command(
      `insert(${offset}, ${folio}, ${pages})`,
      (model) => isFree(model, offset, pages),
      (model, index) => {
        index.insert(offset, folio, pages);
        for (let at = offset; at < offset + pages; at++) model.set(at, folio);
      },
    );
  }),
  fc.tuple(fc.nat({ max: 1000 }), FOLIO).map(([which, dst]) =>
    command(
      `replace(${which}, ${dst})`,
      (model) => model.size > 0,
      (model, index) => {
        const [offset, src] = [...model][which % model.size];
        index.replace(offset, src, dst, 1);
        model.set(offset, dst);
      },
    ),
  ),
  fc.nat({ max: 1000 }).map((which) =>
    command(
      `remove(${which})`,
      (model) => model.size > 0,
      (model, index) => {
        const [offset] = [...model.keys()].slice(which % model.size);
        index.remove(offset, 1);
        model.delete(offset);
      },
    ),
  ),
  OFFSET.map((offset) =>
    command(
      `load(${offset})`,
      () => true,
      (model, index) => assert.equal(index.load(offset), model.get(offset) ?? null),
    ),
  ),
];

test("the index holds what a map from offset to folio holds", () => {
  const setup = (): { model: Model; real: FolioIndex } => ({
    model: new Map(),
    real: new FolioIndex(),
  });
  fc.assert(
    fc.property(fc.commands(COMMANDS, { size: "+1" }), (list) => fc.modelRun(setup, list)),
    { numRuns: 200 },
  );
});

test("a large folio is in the slot of each of its pages, and is replaced and removed whole", () => {
  const index = new FolioIndex();
  const [src, dst] = [32 as Folio, 48 as Folio];
  index.insert(56, src, 16);
  assert.deepEqual(
    [55, 56, 71, 72].map((at) => index.load(at)),
    [null, src, src, null],
  );
  index.replace(56, src, dst, 16);
  assert.deepEqual(
    [56, 64, 71].map((at) => index.load(at)),
    [dst, dst, dst],
  );
  index.remove(56, 16);
  assert.equal(index.pageCount, 0);
});

test("an occupied slot is not overwritten, and an empty one neither replaced nor removed", () => {
  const index = new FolioIndex();
  index.insert(3, 8 as Folio, 1);
  assert.throws(() => index.insert(2, 9 as Folio, 2), /page offset is cached already: 3/);
  assert.throws(
    () => index.replace(3, 9 as Folio, 8 as Folio, 1),
    /another folio at page offset 3/,
  );
  assert.throws(() => index.replace(70, 9 as Folio, 8 as Folio, 1), /no folio to replace/);
  assert.throws(() => index.remove(4, 1), /nothing cached at 4/);
});

test("a visitor may remove what it is shown", () => {
  const index = new FolioIndex();
  for (const offset of [0, 63, 64, 1000]) index.insert(offset, 7 as Folio, 1);
  index.forEach((offset) => {
    index.remove(offset, 1);
  });
  assert.equal(index.pageCount, 0);
});
