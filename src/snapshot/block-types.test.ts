import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.ts";
import { MIGRATE } from "../memory/constants.ts";
import { readSnapshotPair } from "./read-snapshot.ts";
import { NO_BLOCK, type Snapshot } from "./snapshot.ts";
import { ENTRY, entriesOf, filesOf, type SyntheticMachine } from "./synthetic.ts";

const BLOCKS = 300;

/**
 * A busy machine: blocks of each type hold what such blocks hold, in runs of random length, and
 * some of what they should not, since every type takes from the others when its own is used up.
 */
function busyMachine(seed: number, strays: number): SyntheticMachine {
  const random = new Random(seed);
  const types = new Uint8Array(BLOCKS).map(() => {
    if (random.chance(0.8)) return MIGRATE.movable;
    return random.chance(0.6) ? MIGRATE.unmovable : MIGRATE.reclaimable;
  });
  const entries = new Uint32Array(BLOCKS * 512);
  for (const [block, type] of types.entries()) {
    const fill = random.below(100) / 100;
    for (let page = 0; page < 512; ) {
      const run = Math.min(512 - page, 1 + random.below(12));
      const isStray = random.chance(strays);
      const holds = isStray ? (type + 1) % 3 : type;
      const entry = random.chance(fill) ? contentOf(holds, random) : ENTRY.free;
      entries.fill(entry, block * 512 + page, block * 512 + page + run);
      page += run;
    }
  }
  return { entries, startPfn: 0, types };
}

function contentOf(type: number, random: Random): number {
  if (type === MIGRATE.reclaimable) return ENTRY.slab;
  const kinds =
    type === MIGRATE.movable
      ? [ENTRY.anonymous, ENTRY.file, ENTRY.shmem]
      : [ENTRY.slab, ENTRY.pageTable, ENTRY.unknown];
  return kinds[random.below(kinds.length)];
}

async function snapshotOf(machine: SyntheticMachine, without: string[] = []): Promise<Snapshot> {
  const files = filesOf(machine, "every page");
  for (const name of without) files.delete(name);
  const { snapshot } = await readSnapshotPair(entriesOf(files, ""), { name: "synthetic" });
  return snapshot;
}

/** Share of blocks that are rightly called movable or not. */
function shareRight(snapshot: Snapshot, truth: Uint8Array): number {
  const right = truth.filter(
    (type, block) => (type === MIGRATE.movable) === (snapshot.blockType[block] === MIGRATE.movable),
  );
  return right.length / truth.length;
}

test("on busy machines the types come out right, and their number always", async () => {
  let sum = 0;
  for (let seed = 1; seed <= 6; seed++) {
    const machine = busyMachine(seed, 0.1);
    const snapshot = await snapshotOf(machine);
    const share = shareRight(snapshot, machine.types);
    assert.ok(share >= 0.97, `seed ${seed}: ${(100 * share).toFixed(1)}% right`);
    sum += share;
    for (const type of [MIGRATE.unmovable, MIGRATE.movable, MIGRATE.reclaimable]) {
      const count = (types: Uint8Array): number => types.filter((each) => each === type).length;
      assert.equal(count(snapshot.blockType), count(machine.types), `seed ${seed}, type ${type}`);
    }
  }
  assert.ok(sum / 6 >= 0.985, `${((100 * sum) / 6).toFixed(1)}% right on average`);
});

test("free lists make up for content that misleads", async () => {
  // Nearly half of the runs in a block are another type's.
  const machine = busyMachine(9, 0.45);
  const withLists = shareRight(await snapshotOf(machine), machine.types);
  const without = shareRight(await snapshotOf(machine, ["pagetypeinfo"]), machine.types);
  assert.ok(withLists > without, `${withLists} with pagetypeinfo, ${without} without`);
});

test("without pagetypeinfo content decides, and it is called a guess", async () => {
  const machine = busyMachine(2, 0.05);
  const snapshot = await snapshotOf(machine, ["pagetypeinfo"]);
  assert.ok(shareRight(snapshot, machine.types) > 0.9);
  const finding = snapshot.findings.find(({ topic }) => topic === "pageblock types");
  assert.equal(finding?.certainty, "guess");
});

test("blocks that are free as a whole get the types that pagetypeinfo counts", async () => {
  const machine = busyMachine(3, 0);
  const { entries, types } = machine;
  // Two pairs of unmovable blocks and a movable one, all free; beside one pair the kernel's pages.
  for (const block of [100, 101, 104, 200, 201])
    entries.fill(ENTRY.free, block * 512, (block + 1) * 512);
  types.fill(MIGRATE.unmovable, 100, 104);
  types[104] = MIGRATE.movable;
  types[105] = MIGRATE.movable;
  types.fill(MIGRATE.unmovable, 199, 203);
  entries.fill(ENTRY.pageTable, 102 * 512, 104 * 512);
  entries.fill(ENTRY.pageTable, 199 * 512, 200 * 512);
  entries.fill(ENTRY.pageTable, 202 * 512, 203 * 512);
  entries.fill(ENTRY.anonymous, 105 * 512, 106 * 512);
  const { blockType } = await snapshotOf(machine);
  const found = [100, 101, 104, 200, 201].map((block) => blockType[block]);
  assert.deepEqual(found, [0, 0, 1, 0, 0]);
});

test("blocks without memory have no type", async () => {
  const machine = busyMachine(4, 0.1);
  machine.entries.fill(ENTRY.hole, 20 * 512, 24 * 512);
  const files = filesOf(machine, "every page");
  // The kernel does not count blocks without memory.
  const types = machine.types.filter((_, block) => block < 20 || block >= 24);
  const counted = filesOf({ ...machine, types }, "every page").get("pagetypeinfo");
  assert.ok(counted);
  const blocksTable = new TextDecoder().decode(counted).split("Number of blocks")[1];
  const own = new TextDecoder().decode(files.get("pagetypeinfo")).split("Number of blocks")[0];
  files.set("pagetypeinfo", new TextEncoder().encode(`${own}Number of blocks${blocksTable}`));
  const { snapshot } = await readSnapshotPair(entriesOf(files, ""), { name: "synthetic" });
  assert.deepEqual([...snapshot.blockType.subarray(20, 24)], new Array(4).fill(NO_BLOCK));
  assert.notEqual(snapshot.blockType[19], NO_BLOCK);
});
