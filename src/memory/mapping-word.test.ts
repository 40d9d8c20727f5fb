import assert from "node:assert/strict";
import { test } from "node:test";
import {
  folioTestAnon,
  folioTestKsm,
  MAPPING_ANON,
  MAPPING_FLAGS,
  MAPPING_KSM,
  MAPPING_MOVABLE,
  mappingId,
  mappingWord,
} from "./mapping-word.ts";
import { Memmap, type Pfn } from "./memmap.ts";

test("a word carries its kind and its owner's number, and is never the word for nobody", () => {
  for (const kind of [0, MAPPING_ANON, MAPPING_MOVABLE, MAPPING_KSM] as const) {
    for (const id of [0, 1, 1000, (1 << 29) - 2, (1 << 30) - 2]) {
      const word = mappingWord(id, kind);
      assert.notEqual(word, 0);
      assert.equal(word & MAPPING_FLAGS, kind);
      assert.equal(mappingId(word), id);
    }
  }
});

test("anonymous means the low bit, KSM's too; KSM means both", () => {
  const mem = new Memmap(4, 0);
  const page = 1 as Pfn;
  for (const [kind, anon, ksm] of [
    [0, false, false],
    [MAPPING_ANON, true, false],
    [MAPPING_MOVABLE, false, false],
    [MAPPING_KSM, true, true],
  ] as const) {
    mem.mapping[page] = mappingWord(7, kind);
    assert.deepEqual([folioTestAnon(mem, page), folioTestKsm(mem, page)], [anon, ksm]);
  }
  mem.mapping[page] = 0;
  assert.equal(folioTestAnon(mem, page), false);
});
