/** The skip bit as a claim: what a scanner does when another has claimed its block meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioPut } from "../../memory/folio-ref.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listEmpty } from "../../memory/page-list.ts";
import { pageblockSkip, setPageblockSkip } from "../../memory/pageblock.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import { COMPACT_MEMORY, COMPACT_SYSCTL_DEFAULTS, CompactControl } from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { isolateMigratepages } from "./isolate-migratepages.ts";

/** Scans the first block; `meanwhile` runs at the named point, the first time that it comes. */
function scan(made: HandMadeZone, point: string, meanwhile: () => void): CompactControl {
  const request = { ...COMPACT_MEMORY, ignoreSkipHint: false };
  const cc = new CompactControl(made.vm, made.zone, request, COMPACT_SYSCTL_DEFAULTS);
  cc.migratePfn = made.block(0);
  cc.freePfn = made.block(1);
  let isDone = false;
  const call = isolateMigratepages(cc);
  for (let step = call.next(); !step.done; step = call.next()) {
    if (isDone || step.value !== point) continue;
    isDone = true;
    meanwhile();
  }
  assert.ok(isDone, `no point ${point}`);
  return cc;
}

test("a block that was claimed since it was chosen is left to the other, its folios as they were", () => {
  for (const point of ["isolate-found", "isolate-held", "isolate-tested"]) {
    const made = new HandMadeZone(3);
    const first = made.cached(made.block(0), { migrateFolio });
    const second = made.cached(made.block(0) + 1, { migrateFolio });
    const cc = scan(made, point, () => setPageblockSkip(made.mem, first));
    assert.ok(listEmpty(made.mem, cc.migratepages), point);
    for (const folio of [first, second]) {
      assert.ok((made.mem.flags[folio] & PG.lru) !== 0);
      assert.equal(made.mem.refcount[folio], 1);
    }
    assert.equal(cc.migratePfn, made.block(0), "another scan goes on here and passes the block by");
  }
});

test("whoever takes the first folio of a block has claimed it, and its others are not lost", () => {
  const made = new HandMadeZone(3);
  const first = made.cached(made.block(0), { migrateFolio });
  made.cached(made.block(0) + 1, { migrateFolio });
  let wasMarked = false;
  const cc = scan(made, "isolate-found", () => {
    wasMarked = pageblockSkip(made.mem, first);
  });
  assert.equal(wasMarked, false, "not before it is taken");
  assert.equal(cc.migrateCount, 2);
  assert.equal(pageblockSkip(made.mem, first as Pfn), true);
});

test("a block whose first frame is somebody else's is claimed by nobody", () => {
  const made = new HandMadeZone(3);
  const folio = made.cached(made.block(0) + 3, { migrateFolio });
  const cc = scan(made, "isolate-tested", () => setPageblockSkip(made.mem, folio));
  assert.equal(cc.migrateCount, 1);
});

test("a folio that is freed while the scanner holds it goes back by the scanner's last put", () => {
  const made = new HandMadeZone(3);
  const { mem } = made;
  const folio = made.anonymous(made.block(0) + 5);
  mem.refcount[folio]++;
  const cc = scan(made, "isolate-held", () => folioPut(mem, folio));
  assert.equal(cc.migrateCount, 1, "held by its entry all the same");
  assert.equal(mem.refcount[folio], 2);
});
