/**
 * Who holds how many references to a folio, and whether it can move meanwhile.
 *
 * Linux: `folio_expected_refs()`, `folio_migrate_mapping()`, and who takes what, 6.1.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioNrPages } from "../../memory/folio.ts";
import { folioGet, folioMaybeDmaPinned, folioTryPin } from "../../memory/folio-ref.ts";
import { folioActivate } from "../../memory/lru-moves.ts";
import { type Folio, setFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { findGetBlock } from "../../pagecache/buffers/find-block.ts";
import { folioAttachPrivate } from "../../pagecache/buffers/folio-buffers.ts";
import { attachBuffers, SMALL_BLOCK_BYTES } from "../../pagecache/buffers/small-buffers.ts";
import { runToEnd } from "../../sched/run.ts";
import { cachedFolio, mapFilePage } from "../../vm/small-vm.ts";
import { bufferMigrateFolio } from "../buffer-callbacks.ts";
import { isolateForMigration } from "../small-migration.ts";
import { Call, type Numbers } from "./small-call.ts";

type Hold = (call: Call, folio: Folio) => void;

/** Ring, private reference and all: what comes on top is the holder's. */
const lookUpBlock: Hold = ({ vm, mapping }, folio) => {
  const [bh] = attachBuffers(vm.mem, mapping, folio);
  runToEnd(findGetBlock(vm.mem, mapping, bh.block, SMALL_BLOCK_BYTES))?.put();
  assert.equal(bh.count, 1, "the lookup cache's");
};

const nobody: Hold = () => {};
const get: Hold = ({ vm }, folio) => folioGet(vm.mem, folio);
const pin: Hold = ({ vm }, folio) => assert.ok(folioTryPin(vm.mem, folio));
const batch: Hold = ({ vm }, folio) => folioActivate(vm.mem, folio);
const attach: Hold = ({ vm }, folio) => folioAttachPrivate(vm.mem, folio, 9);
const mark: Hold = ({ vm }, folio) => setFlag(vm.mem, folio, PG.private2);
const map: Hold = ({ vm, mapping }, folio) => void mapFilePage(vm, mapping, folio);

/** The holder, what it does, its references to one page and to a folio of four, who then moves. */
type Row = readonly [string, Hold, number, number, "both move" | "neither moves" | "four move"];

// biome-ignore format: a table is read by its columns
const ROWS: readonly Row[] = [
  ["nobody else",                  nobody,         0, 0, "both move"],
  ["FOLL_GET",                     get,            1, 1, "neither moves"],
  ["FOLL_PIN",                     pin,         1024, 1, "neither moves"],
  // Those that are large leave it at once.
  ["a batch of the LRU",           batch,          1, 0, "four move"],
  ["private state",                attach,         1, 1, "both move"],
  ["private_2",                    mark,           0, 0, "both move"],
  ["entries in a page table",      map,            1, 4, "both move"],
  ["a ring of buffers, looked up", lookUpBlock,    1, 1, "both move"],
];

for (const [name, hold, one, four, moves] of ROWS) {
  for (const order of [0, 2]) {
    const references = order === 0 ? one : four;
    test(`${name} holds ${references} of order ${order}: ${moves}`, () => {
      const ops = name.includes("buffers") ? { migrateFolio: bufferMigrateFolio } : undefined;
      const call = new Call(64, "6.1", ops);
      const { mem } = call.vm;
      const folio = cachedFolio(call.vm, call.mapping, 0, 1, order);
      const pages = folioNrPages(mem, folio);
      assert.equal(mem.refcount[folio], pages, "the cache's; its list holds none");
      hold(call, folio);
      assert.equal(mem.refcount[folio], pages + references);
      for (let at = 1; at < pages; at++) assert.equal(mem.refcount[folio + at], 0, "a tail");
      assert.equal(folioMaybeDmaPinned(mem, folio), name === "FOLL_PIN");
      assert.ok(isolateForMigration(mem, folio, call.list));
      assert.equal(mem.refcount[folio], pages + references + 1, "and the isolation's");
      const isMoving = moves === "both move" || (moves === "four move" && order === 2);
      const numbers: Numbers = isMoving ? [pages, 0, 0, 0, 0] : [0, pages, 0, 0, 0];
      // Memory failure keeps the old folio, of which private_2 is its owner's to take away.
      call.tell("async", "memory_failure", numbers);
      if (isMoving) return;
      const refusal = { name: "refcount", found: 1 + pages + references, expected: 1 + pages };
      assert.deepEqual(mem.events.refusals.standing.get(folio), refusal);
    });
  }
}
