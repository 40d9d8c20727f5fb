import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Folio } from "../memory/memmap.ts";
import { FolioIndex, MARK, type Mark } from "./folio-index.ts";

interface Entry {
  readonly folio: Folio;
  readonly pages: number;
  readonly marks: Set<Mark>;
}

/** By the offset at which the folio begins. */
type Model = Map<number, Entry>;
type IndexCommand = fc.Command<Model, FolioIndex>;

/** Offsets in a few nodes of 64 slots, over their borders and far away. */
const OFFSET = fc.oneof(
  fc.nat({ max: 200 }),
  fc.nat({ max: 9000 }),
  fc.integer({ min: 0x7fff_f000, max: 0x7fff_ffff }),
  fc.integer({ min: 0xffff_f000, max: 0xffff_ffff }),
);
const ORDER = fc.constantFrom(0, 0, 0, 1, 3, 5, 6, 7);
const FOLIO = fc.integer({ min: 1, max: 1000 }).map((pfn) => (pfn * 4096) as Folio);
const MARKS = fc.constantFrom<Mark>(MARK.dirty, MARK.writeback, MARK.towrite);
const WHICH = fc.nat({ max: 1000 });

function isFree(model: Readonly<Model>, offset: number, pages: number): boolean {
  return [...model].every(([at, entry]) => at + entry.pages <= offset || offset + pages <= at);
}

function ascending(model: Readonly<Model>): [number, Entry][] {
  return [...model].sort(([a], [b]) => a - b);
}

function assertSame(model: Model, index: FolioIndex): void {
  const entries = ascending(model);
  const pages = entries.reduce((sum, [, entry]) => sum + entry.pages, 0);
  assert.equal(index.pageCount, pages);
  const seen: [number, Folio][] = [];
  index.forEach((offset, folio) => {
    seen.push([offset, folio]);
  });
  const expected = entries.flatMap(([offset, { folio, pages: length }]) =>
    Array.from({ length }, (_, at): [number, Folio] => [offset + at, folio]),
  );
  assert.deepEqual(seen, expected);
  for (const mark of Object.values(MARK)) {
    const marked = entries.filter(([, { marks }]) => marks.has(mark));
    assert.equal(index.anyMarked(mark), marked.length > 0);
    for (const [offset, { marks }] of entries) {
      assert.equal(index.isMarked(offset, mark), marks.has(mark));
    }
  }
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

/** A command on one of the entries that are there. */
function onEntry(
  name: string,
  which: number,
  run: (model: Model, index: FolioIndex, offset: number, entry: Entry) => void,
): IndexCommand {
  return command(
    `${name} of entry ${which}`,
    (model) => model.size > 0,
    (model, index) => {
      const [offset, entry] = ascending(model)[which % model.size];
      run(model, index, offset, entry);
    },
  );
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
        model.set(offset, { folio, pages, marks: new Set() });
      },
    );
  }),
  fc.tuple(WHICH, FOLIO).map(([which, dst]) =>
    onEntry(`replace by ${dst}`, which, (model, index, offset, entry) => {
      index.replace(offset, entry.folio, dst, entry.pages);
      model.set(offset, { ...entry, folio: dst });
    }),
  ),
  WHICH.map((which) =>
    onEntry("remove", which, (model, index, offset, { pages }) => {
      index.remove(offset, pages);
      model.delete(offset);
    }),
  ),
  WHICH.map((which) =>
    onEntry("split", which, (model, index, offset, { folio, pages, marks }) => {
      index.split(offset, folio, pages);
      for (let at = 0; at < pages; at++) {
        model.set(offset + at, {
          folio: (folio + at) as Folio,
          pages: 1,
          marks: new Set(marks),
        });
      }
    }),
  ),
  fc.tuple(WHICH, MARKS).map(([which, mark]) =>
    onEntry(`mark ${mark}`, which, (_model, index, offset, { marks }) => {
      index.setMark(offset, mark);
      marks.add(mark);
    }),
  ),
  fc.tuple(WHICH, MARKS).map(([which, mark]) =>
    onEntry(`unmark ${mark}`, which, (_model, index, offset, { marks }) => {
      index.clearMark(offset, mark);
      marks.delete(mark);
    }),
  ),
  fc.tuple(OFFSET, OFFSET, fc.option(MARKS, { nil: undefined })).map(([one, other, mark]) => {
    const [first, last] = [Math.min(one, other), Math.max(one, other)];
    return command(
      `find(${first}, ${last}, ${mark})`,
      () => true,
      (model, index) => {
        const found = ascending(model).find(
          ([at, { pages, marks }]) =>
            first < at + pages && at <= last && (mark === undefined || marks.has(mark)),
        );
        assert.equal(index.find(first, last, mark), found?.[1].folio ?? null);
      },
    );
  }),
  OFFSET.map((offset) =>
    command(
      `load(${offset})`,
      () => true,
      (model, index) => {
        const found = [...model].find(([at, { pages }]) => at <= offset && offset < at + pages);
        assert.equal(index.load(offset), found?.[1].folio ?? null);
      },
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
    { numRuns: 150 },
  );
});

test("a large folio is in the slot of each of its pages, and is replaced and removed whole", () => {
  const index = new FolioIndex();
  const [src, dst] = [32 as Folio, 48 as Folio];
  index.insert(48, src, 16);
  assert.deepEqual(
    [47, 48, 63, 64].map((at) => index.load(at)),
    [null, src, src, null],
  );
  index.setMark(48, MARK.dirty);
  index.replace(48, src, dst, 16);
  assert.deepEqual(
    [48, 50, 63].map((at) => index.load(at)),
    [dst, dst, dst],
  );
  assert.equal(index.isMarked(48, MARK.dirty), true, "the slot keeps its marks");
  index.remove(48, 16);
  assert.equal(index.pageCount, 0);
  assert.equal(index.anyMarked(MARK.dirty), false);
  assert.throws(() => index.insert(56, src, 16), /a folio not at a multiple of its size: 56 16/);
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
