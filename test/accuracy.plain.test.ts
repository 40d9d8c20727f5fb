/** Our compaction gains what the kernel's own did, on each pair of snapshots that is shipped. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { releaseFor } from "../src/base/profile.ts";
import { openSnapshot } from "../src/host/open-snapshot.ts";
import { comparePair, type PairAccuracy } from "../src/replay/accuracy.ts";

const folder = path.resolve(import.meta.dirname, "../snapshots");
const index = JSON.parse(readFileSync(path.join(folder, "index.json"), "utf8")) as {
  snapshots: { name: string; scannersMet: boolean | null }[];
};
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".tar.gz"))
  .map((file) => file.replace(".tar.gz", ""));

test("the index tells of every pair that is shipped whether the scanners met", () => {
  assert.deepEqual(index.snapshots.map(({ name }) => name).sort(), names.sort());
});

for (const { name, scannersMet } of index.snapshots) {
  const claim = scannersMet ? "gains what the kernel did, within the bound" : "is not judged";
  test(`${name} ${claim}`, async () => {
    const pair = await compare(name, scannersMet);
    assert.ok(pair.moved > 10_000, `only ${pair.moved} pages moved`);
    assert.ok(pair.gain > 0, "nothing gained");
    if (scannersMet) {
      assert.equal(pair.within, true, `gains ${pair.gain} and ${pair.kernelGain}`);
      assert.ok(pair.bound < 100 + pair.kernelGain / 5, `a bound of ${pair.bound} proves little`);
    } else {
      assert.equal(pair.within, null);
      assert.notEqual(pair.why, "");
    }
  });
}

test("a kernel with twice the gain would be out of the bound", async () => {
  const { snapshot, other } = await openSnapshot(path.join(folder, "mlock-s2.tar.gz"));
  assert.ok(other !== null);
  const freeBlocks = other.freeBlocks.map((blocks) =>
    blocks.map((count, order) => (order === 10 ? count + 400 : count)),
  );
  // As many pages fewer in single ones, so that the free frames stay the same.
  const balanced = freeBlocks.map((blocks) =>
    blocks.map((count, order) => (order === 0 ? count - 400 * 1024 : count)),
  );
  const input = { name: "twice", snapshot, other: { ...other, freeBlocks: balanced } };
  assert.equal(comparePair({ ...input, scannersMet: true, release: "6.18" }).within, false);
});

async function compare(name: string, scannersMet: boolean | null): Promise<PairAccuracy> {
  const { snapshot, other } = await openSnapshot(path.join(folder, `${name}.tar.gz`));
  assert.ok(other !== null);
  return comparePair({ name, snapshot, other, scannersMet, release: releaseFor(snapshot.kernel) });
}
