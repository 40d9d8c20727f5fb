import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_KIND, type PageKind } from "../snapshot/page-kinds.ts";
import { blockShares, countKinds, decidingKinds } from "./deciding-kinds.ts";
import { smallRun } from "./small-run.ts";

/** One pageblock: `rest` but for the pages named, each kind with its count. */
function blockOf(rest: PageKind, ...pages: [PageKind, number][]): Uint8Array {
  const kinds = new Uint8Array(512).fill(rest);
  let at = 100;
  for (const [kind, count] of pages) {
    kinds.fill(kind, at, at + count);
    at += count;
  }
  return kinds;
}

test("one page that cannot move decides against any number that can", () => {
  const { free, anonymous, file, slab, unknown, anonymousHuge, hole } = PAGE_KIND;
  const cases: [Uint8Array, PageKind][] = [
    [blockOf(free), free],
    [blockOf(hole), hole],
    [blockOf(free, [hole, 1]), hole],
    [blockOf(free, [hole, 5], [file, 1]), file],
    [blockOf(free, [anonymous, 3], [file, 4]), file],
    [blockOf(anonymous, [slab, 1]), slab],
    [blockOf(slab, [unknown, 200], [anonymous, 100]), slab],
    [blockOf(free, [anonymousHuge, 1], [anonymous, 90]), anonymousHuge],
  ];
  for (const [kinds, decides] of cases) assert.equal(decidingKinds(kinds)[0], decides);
});

test("a last pageblock that memory does not fill is no free one", () => {
  const deciding = decidingKinds(new Uint8Array(512 + 100).fill(PAGE_KIND.free));
  assert.deepEqual([...deciding], [PAGE_KIND.free, PAGE_KIND.hole]);
});

test("blocks that are free are the huge pages of the report, before and after", async () => {
  const { snapshot, run } = await smallRun("tokens");
  const { hugePages, stayed } = run.report;
  const before = blockShares(countKinds(decidingKinds(snapshot.kind)));
  const after = blockShares(countKinds(decidingKinds(run.kindsAfter)));
  assert.equal(before.free, hugePages.before);
  assert.equal(after.free, hugePages.after);
  const kept = stayed.reduce((sum, { pageblocks }) => sum + pageblocks, 0);
  assert.equal(after.movable + after.fixed, kept);
  assert.equal(before.free + before.movable + before.fixed, after.free + kept);
});
