/** What a compaction of a snapshot asks for, and that it ends where that is there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompactMode, CompactRequest } from "../callers/compaction/control.ts";
import { MIGRATE, PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { compactDefaults, compactRequest, compactSnapshot } from "./compact-snapshot.ts";
import { readSnapshotPair } from "./read-snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { ENTRY, entriesOf, filesOf } from "./synthetic.ts";

type Asked = Pick<
  CompactRequest,
  "direct" | "wholeZone" | "ignoreSkipHint" | "ignoreBlockSuitable" | "migratetype"
>;

/** As compact_memory does, and as a process does that waits for a block. */
const WHOLE: Asked = {
  direct: false,
  wholeZone: true,
  ignoreSkipHint: true,
  ignoreBlockSuitable: false,
  migratetype: 1,
};
const DIRECT: Asked = { ...WHOLE, direct: true, wholeZone: false, ignoreSkipHint: false };

const ROWS: readonly (readonly [CompactMode, number, Asked])[] = [
  ["async", -1, WHOLE],
  ["sync-light", -1, WHOLE],
  ["sync", -1, WHOLE],
  ["async", 9, DIRECT],
  ["sync-light", 9, DIRECT],
  ["sync", 9, WHOLE],
  ["sync-light", 1, DIRECT],
  ["sync-light", 0, WHOLE],
];

for (const [mode, order, asked] of ROWS) {
  const how = asked === WHOLE ? "each zone whole" : "as by a process that waits";
  test(`mode ${mode}, order ${order}: ${how}`, () => {
    const request = compactRequest(mode, order);
    assert.deepEqual({ ...request, ...asked }, request);
    assert.deepEqual([request.mode, request.order], [mode, order]);
  });
}

/** Each sixteenth page is a process's, all others are free: no block of more than 8 is. */
async function fragmented(): Promise<Snapshot> {
  const entries = new Uint32Array(64 * PAGEBLOCK_NR_PAGES).fill(ENTRY.free);
  entries.fill(ENTRY.unknown, 0, PAGEBLOCK_NR_PAGES);
  for (let pfn = PAGEBLOCK_NR_PAGES + 15; pfn < entries.length; pfn += 16) {
    entries[pfn] = ENTRY.anonymous;
  }
  const types = new Uint8Array(64).fill(MIGRATE.movable);
  const files = filesOf({ entries, startPfn: PAGEBLOCK_NR_PAGES, types }, "every page");
  const mapCounts = new Uint32Array(2 * entries.length);
  for (const [pfn, entry] of entries.entries()) mapCounts[2 * pfn] = +(entry === ENTRY.anonymous);
  files.set("kpagecount.u64", new Uint8Array(mapCounts.buffer));
  return (await readSnapshotPair(entriesOf(files, ""), { name: "fragmented" })).snapshot;
}

/** By mode and order: how it ends, pages moved, and frames that each scanner looked at. */
const RUNS: readonly (readonly [CompactMode, number, string, number, number, number])[] = [
  // A search of the free lists in vain, 34 frames, and then the first pageblock, in five looks;
  // what is moved to comes out of the lists at once, and not from a scan of the last pageblock.
  ["async", 9, "success", 32, 194, 32],
  ["sync-light", 9, "success", 32, 194, 36],
  ["sync", 9, "success", 32, 160, 290],
  ["sync", -1, "complete", 1857, 9440, 1980],
];

for (const [mode, order, result, moved, migrate, free] of RUNS) {
  test(`of a fragmented zone, mode ${mode} and order ${order} move ${moved} pages`, async () => {
    const snapshot = await fragmented();
    const wanted = { ...compactDefaults(snapshot), release: "6.1" as const, mode, order };
    const { report, zones } = compactSnapshot(snapshot, null, wanted);
    assert.deepEqual(
      zones.map((zone) => zone.result),
      [result],
    );
    assert.deepEqual([report.moved, report.scanned], [moved, { migrate, free }]);
    assert.equal(report.hugePages.before, 0);
    assert.equal(report.hugePages.after > 1, order === -1, "one block, or all that can be");
    assert.equal(report.verified.mismatched, 0);
  });
}
