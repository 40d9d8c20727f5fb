import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../../memory/constants.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { pageblockSkip, setPageblockSkip } from "../../memory/pageblock.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { resetNodeIsolation } from "./reset-isolation.ts";

const BLOCKS = 6;

/** A zone of six blocks, all marked, that a direct compaction has seen through. */
function marked(): HandMadeZone {
  const made = new HandMadeZone(BLOCKS);
  for (let block = 0; block < BLOCKS; block++) setPageblockSkip(made.mem, made.block(block) as Pfn);
  made.zone.compactBlockskipFlush = true;
  return made;
}

function skips(made: HandMadeZone): string {
  const marks = Array.from({ length: BLOCKS }, (_, block) =>
    pageblockSkip(made.mem, made.block(block) as Pfn) ? "x" : ".",
  );
  return marks.join("");
}

function reset(made: HandMadeZone): void {
  resetNodeIsolation(made.mem, made.mem.nodes[0]);
}

test("a zone that was not seen through keeps its marks", () => {
  const made = marked();
  made.anonymous(made.block(0));
  made.zone.compactBlockskipFlush = false;
  reset(made);
  assert.equal(skips(made), "xxxxxx");
});

test("marks go where a folio or a free block is seen, and the scanners begin at the outermost", () => {
  const made = marked();
  made.anonymous(made.block(1) + 8);
  made.anonymous(made.block(2) + 16);
  made.free(made.block(3));
  made.free(made.block(4) + 24);
  reset(made);
  assert.equal(skips(made), "x....x");
  const { zone } = made;
  assert.deepEqual([...zone.compactCachedMigratePfn], [made.block(1), made.block(1)]);
  assert.equal(zone.compactInitMigratePfn, made.block(1));
  assert.equal(zone.compactCachedFreePfn, made.block(4) + 511);
  assert.equal(zone.compactInitFreePfn, made.block(4) + 511);
  assert.equal(zone.compactBlockskipFlush, false, "once");
});

test("only every eighth page is looked at: with none to be seen there, no distance is left", () => {
  const made = marked();
  made.anonymous(made.block(0) + 8);
  for (const block of [4, 5]) {
    for (let at = 1; at < 512; at += 8) made.free(made.block(block) + at);
  }
  reset(made);
  assert.equal(skips(made), ".xxxxx");
  const { zone } = made;
  assert.ok(zone.compactCachedMigratePfn[0] > zone.compactCachedFreePfn, "the scanners have met");
  assert.equal(zone.compactCachedMigratePfn[0], made.block(3));
  assert.equal(zone.compactCachedFreePfn, made.block(2) + 511);
});

test("the first block to fill must be movable, and none may be one huge page", () => {
  const made = marked();
  made.cached(made.block(0), { migrateFolio }, 9);
  made.anonymous(made.block(1));
  made.free(made.block(3));
  made.free(made.block(4));
  made.setType(4, MIGRATE.unmovable);
  reset(made);
  assert.equal(skips(made), "x.x.xx");
  assert.equal(made.zone.compactInitMigratePfn, made.block(1));
  assert.equal(made.zone.compactInitFreePfn, made.block(3) + 511);
});
