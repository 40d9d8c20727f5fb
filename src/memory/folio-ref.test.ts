import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIGRATE } from "./constants.ts";
import { folioNrPages } from "./folio.ts";
import {
  folioGet,
  folioMaybeDmaPinned,
  folioPut,
  folioPutRefs,
  folioRefFreeze,
  folioRefUnfreeze,
  folioTryGet,
  folioTryPin,
  folioUnpin,
} from "./folio-ref.ts";
import { POISON_WORD } from "./frames.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { folioAlloc } from "./page-alloc.ts";
import { smallMemory } from "./small-memory.ts";

function newFolio(mem: Memory, order: number): Folio {
  const request = { order, migratetype: MIGRATE.movable, node: 0, highestZone: "Normal" } as const;
  const folio = folioAlloc(mem, request);
  assert.ok(folio !== null, "the memory has room");
  return folio;
}

/** One folio's holders, kept apart. `frozen` is the count that a freeze took, or 0. */
interface Model {
  readonly order: number;
  references: number;
  pins: number;
  frozen: number;
}

interface Real {
  readonly mem: Memory;
  readonly folio: Folio;
}

type RefCommand = fc.Command<Model, Real>;

function pinWeight({ order }: Model): number {
  return order === 0 ? 1024 : 1;
}

function countOf(model: Model): number {
  if (model.frozen > 0) return 0;
  return model.references + model.pins * pinWeight(model);
}

/** True once the last reference is gone: nothing may be done to the folio any more. */
function isFreed(model: Model): boolean {
  return model.frozen === 0 && countOf(model) === 0;
}

function command(
  name: string,
  check: (model: Readonly<Model>) => boolean,
  run: (model: Model, real: Real) => void,
): fc.Arbitrary<RefCommand> {
  return fc.constant({
    check: (model) => !isFreed(model) && check(model),
    run(model, real) {
      run(model, real);
      const { mem, folio } = real;
      assert.equal(mem.refcount[folio], countOf(model));
      const isPinned = model.frozen === 0 && model.pins > 0;
      if (model.order > 0 && !isFreed(model)) {
        assert.equal(folioMaybeDmaPinned(mem, folio), model.pins > 0);
      } else if (isPinned) {
        assert.equal(folioMaybeDmaPinned(mem, folio), true, "never missed");
      }
      const poisoned = mem.frames.readWord(folio, 0) === POISON_WORD;
      assert.equal(poisoned, isFreed(model), "freed with the last reference, and not before");
    },
    toString: () => name,
  });
}

const COMMANDS = [
  command(
    "get",
    ({ frozen }) => frozen === 0,
    (model, { mem, folio }) => {
      folioGet(mem, folio);
      model.references++;
    },
  ),
  command(
    "get of a frozen folio",
    ({ frozen }) => frozen > 0,
    (_model, { mem, folio }) => {
      assert.throws(() => folioGet(mem, folio), /get of a folio that nobody holds/);
      assert.throws(() => folioPut(mem, folio), /put of a folio that nobody holds/);
    },
  ),
  command(
    "try-get",
    () => true,
    (model, { mem, folio }) => {
      assert.equal(folioTryGet(mem, folio), model.frozen === 0);
      if (model.frozen === 0) model.references++;
    },
  ),
  command(
    "put",
    ({ frozen, references }) => frozen === 0 && references > 0,
    (model, { mem, folio }) => {
      folioPut(mem, folio);
      model.references--;
    },
  ),
  command(
    "try-pin",
    () => true,
    (model, { mem, folio }) => {
      assert.equal(folioTryPin(mem, folio), model.frozen === 0);
      if (model.frozen === 0) model.pins++;
    },
  ),
  command(
    "unpin",
    ({ frozen, pins }) => frozen === 0 && pins > 0,
    (model, { mem, folio }) => {
      folioUnpin(mem, folio);
      model.pins--;
    },
  ),
  command(
    "freeze of one too many and one too few",
    ({ frozen }) => frozen === 0,
    (model, { mem, folio }) => {
      assert.equal(folioRefFreeze(mem, folio, countOf(model) + 1), false);
      assert.equal(folioRefFreeze(mem, folio, countOf(model) - 1), false);
    },
  ),
  command(
    "freeze",
    ({ frozen }) => frozen === 0,
    (model, { mem, folio }) => {
      const count = countOf(model);
      assert.equal(folioRefFreeze(mem, folio, count), true);
      model.frozen = count;
    },
  ),
  command(
    "unfreeze",
    ({ frozen }) => frozen > 0,
    (model, { mem, folio }) => {
      folioRefUnfreeze(mem, folio, model.frozen);
      model.frozen = 0;
    },
  ),
  command(
    "unfreeze of a folio that is not frozen",
    ({ frozen }) => frozen === 0,
    (_model, { mem, folio }) => {
      assert.throws(
        () => folioRefUnfreeze(mem, folio, 2),
        /unfreeze of a folio that is not frozen/,
      );
    },
  ),
];

test("references, pins and freezes add up as their holders do, to the free at the last put", () => {
  const orders = fc.constantFrom(0, 1, 3);
  fc.assert(
    fc.property(orders, fc.commands(COMMANDS, { size: "+1" }), (order, commands) => {
      const mem = smallMemory({ pageCount: 64 });
      const folio = newFolio(mem, order);
      const model = { order, references: 1, pins: 0, frozen: 0 };
      fc.modelRun(() => ({ model, real: { mem, folio } }), commands);
      const held = isFreed(model) ? 0 : 1 << order;
      assert.equal(mem.zones[0].freePages, 63 - held);
    }),
    { numRuns: 300 },
  );
});

test("putting more references than there are, or unpinning what is not pinned, is a bug", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem, 0);
  assert.throws(() => folioPutRefs(mem, folio, 2), /more references put than there are/);
  assert.throws(() => folioUnpin(mem, folio), /more references put than there are/);
  const large = newFolio(mem, 2);
  assert.throws(() => folioUnpin(mem, large), /unpin of a folio that is not pinned/);
  folioPut(mem, folio);
  assert.throws(() => folioPut(mem, folio), /put of a folio that nobody holds/);
  assert.throws(() => folioGet(mem, folio), /get of a folio that nobody holds/);
  assert.equal(folioTryGet(mem, folio), false);
  assert.equal(folioTryPin(mem, folio), false);
});

test("unfreezing to no reference is a bug: the folio would be lost", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem, 0);
  assert.equal(folioRefFreeze(mem, folio, 1), true);
  assert.throws(() => folioRefUnfreeze(mem, folio, 0), /unfreeze to no reference/);
});

test("a small folio with 1024 references looks pinned; a large one only if it is", () => {
  const mem = smallMemory({ pageCount: 64 });
  const small = newFolio(mem, 0);
  const large = newFolio(mem, 1);
  for (let at = 1; at < 1024; at++) {
    assert.equal(folioMaybeDmaPinned(mem, small), false);
    folioGet(mem, small);
    folioGet(mem, large);
  }
  assert.equal(folioMaybeDmaPinned(mem, small), true);
  assert.equal(folioMaybeDmaPinned(mem, large), false);
});

test("references put at once free the folio when they were the last, all pages of it", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = newFolio(mem, 2);
  const pages = folioNrPages(mem, folio);
  for (let at = 0; at < pages; at++) {
    mem.frames.writeWord((folio + at) as Pfn, 0, 7);
    folioGet(mem, folio);
  }
  folioPutRefs(mem, folio, pages);
  assert.equal(mem.frames.readWord(folio, 0), 7);
  folioPutRefs(mem, folio, 1);
  for (let at = 0; at < pages; at++) {
    assert.equal(mem.frames.readWord((folio + at) as Pfn, 0), POISON_WORD);
  }
});
