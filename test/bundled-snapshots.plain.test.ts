/**
 * The snapshots that the package ships: each is read whole, and what was read agrees with what the
 * kernel counted, as closely as a machine that runs on during the scan allows.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openSnapshot } from "../src/host/open-snapshot.ts";
import { packageFile } from "../src/host/package-root.ts";
import { PAGE_KIND } from "../src/snapshot/page-kinds.ts";
import { freeHugePages, freePages, type Side } from "../src/snapshot/snapshot.ts";

interface IndexEntry {
  readonly name: string;
  readonly archive: string;
  readonly archiveBytes: number;
  readonly made: { readonly anonKept?: number; readonly pinned?: number };
}

const SIDES: readonly Side[] = ["before", "after"];
/** The scan lies between two counts; blocks may come and go within it that neither saw. */
const SLACK_HUGE_PAGES = 16;
const index: { readonly snapshots: readonly IndexEntry[] } = JSON.parse(
  readFileSync(packageFile("snapshots/index.json"), "utf8"),
);

test("the index names the archives that are there", () => {
  const archives = readdirSync(packageFile("snapshots")).filter((name) => name.endsWith(".gz"));
  assert.deepEqual(index.snapshots.map(({ archive }) => archive).sort(), archives.sort());
  for (const { archive, archiveBytes } of index.snapshots) {
    const bytes = readFileSync(packageFile(`snapshots/${archive}`)).length;
    assert.equal(bytes, archiveBytes);
    assert.ok(bytes < 3_000_000);
  }
});

for (const entry of index.snapshots) {
  test(`${entry.name} is read as the kernel counted it`, async () => {
    const hugePages = new Map<Side, number>();
    const asOther = new Map<Side, number>();
    for (const side of SIDES) {
      const path = packageFile(`snapshots/${entry.archive}`);
      const { snapshot, other } = await openSnapshot(path, { side });
      assert.equal(snapshot.pageCount, 6_553_600);
      assert.match(snapshot.kernel ?? "", /^Linux 6\.18\./);
      const counted = [snapshot.buddyinfo, snapshot.buddyinfoEnd].map((each) =>
        freeHugePages(each ?? []),
      );
      const found = freeHugePages(snapshot.freeBlocks);
      assert.ok(found >= Math.min(...counted) - SLACK_HUGE_PAGES, `${found}, ${counted}`);
      assert.ok(found <= Math.max(...counted) + SLACK_HUGE_PAGES, `${found}, ${counted}`);
      hugePages.set(side, found);
      asOther.set(other?.side ?? side, freeHugePages(other?.freeBlocks ?? []));
      // What iomem calls RAM is what the zones have.
      const present = snapshot.zones.reduce((sum, zone) => sum + zone.present, 0);
      const memory = snapshot.kind.reduce((sum, kind) => sum + Number(kind !== PAGE_KIND.hole), 0);
      assert.equal(memory, present);
      for (const [zone, { type }] of snapshot.zones.entries()) {
        const pages = freePages(snapshot.freeBlocks[zone]);
        const counted = freePages(snapshot.buddyinfo?.[zone] ?? []);
        const end = freePages(snapshot.buddyinfoEnd?.[zone] ?? []);
        const drift = Math.abs(counted - end);
        // The scan lies between the two counts, but for what comes and goes within it.
        const apart = Math.min(Math.abs(pages - counted), Math.abs(pages - end));
        assert.ok(
          apart <= drift + 0.002 * counted,
          `${type}: ${pages} pages, ${counted} to ${end}`,
        );
      }
      const anonymous = snapshot.kind.reduce(
        (sum, kind) =>
          sum + Number(kind === PAGE_KIND.anonymous || kind === PAGE_KIND.anonymousHuge),
        0,
      );
      assert.ok(anonymous >= (entry.made.anonKept ?? 0));
      assert.equal(snapshot.pins?.length ?? 0, entry.made.pinned ?? 0);
    }
    // Whether a side is read whole or for its free blocks alone.
    for (const side of SIDES) assert.equal(asOther.get(side), hugePages.get(side));
  });
}

test("a quiet snapshot's blocks are buddyinfo's, order by order", async () => {
  const path = packageFile("snapshots/every2-s2.tar.gz");
  const { snapshot } = await openSnapshot(path, { side: "after" });
  assert.deepEqual(snapshot.freeBlocks, snapshot.buddyinfo);
});
