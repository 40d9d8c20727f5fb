/**
 * How often the inferred type of a pageblock is the true one, on memory where both are known: the
 * kernel's records hold the types that were read from the live kernel. docs/snapshots.md quotes
 * what this prints with GODWIT_TELL=1.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { type ArchiveFormat, archiveEntries } from "../src/host/archive.ts";
import { openSnapshot } from "../src/host/open-snapshot.ts";
import { packageFile } from "../src/host/package-root.ts";
import { MIGRATE } from "../src/memory/constants.ts";
import { NO_BLOCK, type Side } from "../src/snapshot/snapshot.ts";

/** By area of the records, at most this share of blocks may be wrong. */
const LIMITS = [
  { area: "compaction", movable: 0.003, type: 0.015 },
  // Drivers' pages come from blocks of every type, and one driver's were counted while they moved.
  { area: "drivers", movable: 0.015, type: 0.03 },
  { area: "offline", movable: 0.003, type: 0.015 },
];
const FORMAT: ArchiveFormat = "tar.gz";

interface Tally {
  blocks: number;
  /** Called movable and are not, or the other way round. */
  wrongMovable: number;
  wrongType: number;
}

/** By side, the types as the kernel had them: its numbers, without CMA, so Isolate is 4. */
async function trueTypes(archive: string): Promise<Map<Side, Uint8Array>> {
  const types = new Map<Side, Uint8Array>();
  for await (const { path, chunks } of archiveEntries(archive, FORMAT, "")) {
    const match = /(before|after)\/pageblock_flags$/.exec(path);
    if (!match) continue;
    const flags = await buffer(chunks);
    const ofKernel = Uint8Array.from(flags, (flag) => (flag === 0xff ? NO_BLOCK : flag & 7));
    const own = ofKernel.map((type) => (type === 4 ? MIGRATE.isolate : type));
    types.set(match[1] as Side, own);
  }
  return types;
}

function tallyOf(found: Uint8Array, truth: Uint8Array): Tally {
  const tally = { blocks: 0, wrongMovable: 0, wrongType: 0 };
  for (const [block, type] of truth.entries()) {
    // A block of a section that is not online has a type there and no memory here, or both lack it.
    if (type === NO_BLOCK || found[block] === NO_BLOCK) continue;
    tally.blocks++;
    if (found[block] !== type) tally.wrongType++;
    if ((found[block] === MIGRATE.movable) !== (type === MIGRATE.movable)) tally.wrongMovable++;
  }
  return tally;
}

/** For docs/snapshots.md. */
function tell(figures: object): void {
  const { GODWIT_TELL } = process.env as { GODWIT_TELL?: string };
  if (GODWIT_TELL === "1") console.log(figures);
}

function archivesOf(area: string): string[] {
  const folder = packageFile(`records/${area}`);
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${folder}/${entry.name}/snapshots.tar.gz`);
}

for (const { area, movable, type } of LIMITS) {
  test(`of the blocks of ${area}, ${100 * movable}% at most are wrongly called movable or not`, async () => {
    const sum: Tally = { blocks: 0, wrongMovable: 0, wrongType: 0 };
    const archives = archivesOf(area);
    assert.ok(archives.length > 0);
    for (const archive of archives) {
      for (const [side, truth] of await trueTypes(archive)) {
        const { snapshot } = await openSnapshot(archive, { side });
        const tally = tallyOf(snapshot.blockType, truth);
        assert.ok(tally.blocks > 300);
        sum.blocks += tally.blocks;
        sum.wrongMovable += tally.wrongMovable;
        sum.wrongType += tally.wrongType;
      }
    }
    tell({ area, archives: archives.length, ...sum });
    assert.ok(
      sum.wrongMovable <= movable * sum.blocks,
      `${sum.wrongMovable} of ${sum.blocks} wrong`,
    );
    assert.ok(sum.wrongType <= type * sum.blocks, `${sum.wrongType} of ${sum.blocks} wrong types`);
  });
}

/** Of a run that the kernel finished: each page of the test program, and where it went. */
test("pages went to blocks that are called movable, in the pairs that tell where", async () => {
  const index = JSON.parse(readFileSync(packageFile("snapshots/index.json"), "utf8"));
  const names: string[] = index.snapshots.map(({ name }: { name: string }) => name);
  let moved = 0;
  let toOthers = 0;
  for (const name of names) {
    const path = packageFile(`snapshots/${name}.tar.gz`);
    const { snapshot: from } = await openSnapshot(path);
    if (from.pagemaps.length === 0) continue;
    const { snapshot: to } = await openSnapshot(path, { side: "after" });
    for (const [region, { pfns }] of from.pagemaps.entries()) {
      for (const [page, pfn] of to.pagemaps[region].pfns.entries()) {
        if (pfn === 0 || pfns[page] === 0 || pfn === pfns[page]) continue;
        moved++;
        if (from.blockType[pfn >>> 9] !== MIGRATE.movable) toOthers++;
      }
    }
  }
  tell({ moved, toOthers });
  assert.ok(moved > 250_000);
  assert.ok(toOthers < 0.005 * moved, `${toOthers} of ${moved} to blocks called something else`);
});
