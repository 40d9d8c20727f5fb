import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_ENTRY, PageDirectory, PageTables, TASK_SIZE_PAGES } from "./page-tables.ts";

/** What each process has mapped: frame and bits, by virtual page. */
type Model = Map<number, readonly [pfn: number, bits: number]>[];

interface Real {
  readonly tables: PageTables;
  readonly directories: PageDirectory[];
}

type TableCommand = fc.Command<Model, Real>;

/** Near and far, so that leaves and middle directories are shared and not. */
const VPN = fc.oneof(
  fc.nat({ max: 1500 }),
  fc.nat({ max: 3 }).map((at) => 0x40000 * (at + 1) - 2 + at),
  fc.constantFrom(TASK_SIZE_PAGES - 1, TASK_SIZE_PAGES - 512, 0),
);
const PROCESS = fc.nat({ max: 2 });

function leavesOf(model: Model): number {
  const leaves = model.flatMap((pages, process) => [
    ...new Set([...pages.keys()].map((vpn) => `${process} ${vpn >>> 9}`)),
  ]);
  return leaves.length;
}

function assertSame(model: Model, { tables, directories }: Real): void {
  for (const [process, pages] of model.entries()) {
    for (const [vpn, [pfn, bits]] of pages) {
      const entry = directories[process].find(vpn);
      assert.deepEqual([tables.pfn(entry), tables.bits(entry)], [pfn, bits]);
    }
  }
  assert.equal(tables.leavesInUse, leavesOf(model));
}

function command(name: string, run: (model: Model, real: Real) => void): TableCommand {
  return {
    check: () => true,
    run(model, real) {
      run(model, real);
      assertSame(model, real);
    },
    toString: () => name,
  };
}

const COMMANDS = [
  fc.tuple(PROCESS, VPN, fc.nat(), fc.integer()).map(([process, vpn, pfn, bits]) =>
    command(`${process} maps ${vpn} to ${pfn}, ${bits}`, (model, { tables, directories }) => {
      tables.set(directories[process].make(vpn), pfn, bits);
      model[process].set(vpn, [pfn, bits]);
    }),
  ),
  fc.tuple(PROCESS, VPN).map(([process, vpn]) =>
    command(`${process} looks at ${vpn}`, (model, { tables, directories }) => {
      const entry = directories[process].find(vpn);
      const expected = model[process].get(vpn);
      if (expected !== undefined) assert.equal(tables.pfn(entry), expected[0]);
      else if (entry !== NO_ENTRY) assert.equal(tables.bits(entry), 0, "an empty entry");
    }),
  ),
  PROCESS.map((process) =>
    command(`${process} exits`, (model, { tables, directories }) => {
      for (const vpn of model[process].keys()) tables.set(directories[process].find(vpn), 0, 0);
      directories[process].release();
      model[process].clear();
    }),
  ),
];

test("three processes' tables in one pool hold what three maps hold, and give all leaves back", () => {
  const setup = (): { model: Model; real: Real } => {
    const tables = new PageTables();
    const directories = [0, 1, 2].map(() => new PageDirectory(tables));
    return { model: [new Map(), new Map(), new Map()], real: { tables, directories } };
  };
  const commands = fc.commands(COMMANDS, { size: "+1" });
  fc.assert(
    fc.property(commands, (list) => fc.modelRun(setup, list)),
    { numRuns: 200 },
  );
});

test("looking makes no tables, making takes a leaf for 512 pages once", () => {
  const tables = new PageTables();
  const directory = new PageDirectory(tables);
  assert.equal(directory.find(700), NO_ENTRY);
  assert.equal(tables.leavesInUse, 0);
  const entry = directory.make(512);
  assert.equal(directory.make(1023), entry + 511);
  assert.equal(directory.find(700), entry + 188);
  assert.equal(directory.find(1024), NO_ENTRY);
  assert.equal(tables.leavesInUse, 1);
});

test("the pool grows past a chunk of 256 leaves, and a leaf that came back is empty", () => {
  const tables = new PageTables();
  const directory = new PageDirectory(tables);
  for (let leaf = 0; leaf < 300; leaf++) tables.set(directory.make(leaf * 512), leaf, 1);
  assert.equal(tables.leavesInUse, 300);
  for (let leaf = 0; leaf < 300; leaf++) {
    assert.equal(tables.pfn(directory.find(leaf * 512)), leaf);
    tables.set(directory.find(leaf * 512), 0, 0);
  }
  directory.release();
  assert.equal(tables.leavesInUse, 0);
  assert.equal(tables.bits(directory.make(5)), 0);
});

test("a leaf that still maps a page is not given back", () => {
  const tables = new PageTables();
  const directory = new PageDirectory(tables);
  tables.set(directory.make(8), 1, 1);
  assert.throws(() => directory.release(), /release of a page table that maps a page/);
});
