import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_ENTRY, PageDirectory, PageTables, TASK_SIZE_PAGES } from "./page-tables.ts";

/** What one process has mapped: frame and bits, by virtual page; huge ones by their first. */
interface Mapped {
  readonly pages: Map<number, readonly [pfn: number, bits: number]>;
  readonly huge: Map<number, readonly [pfn: number, bits: number]>;
  /** First virtual pages of the leaves: they stay when their pages go. */
  readonly leaves: Set<number>;
}

type Model = readonly Mapped[];

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

/** First page of the 512 around one. */
function base(vpn: number): number {
  return vpn - (vpn % 512);
}

function sum(model: Model, count: (mapped: Mapped) => number): number {
  return model.reduce((total, mapped) => total + count(mapped), 0);
}

function assertSame(model: Model, { tables, directories }: Real): void {
  for (const [process, { pages, huge, leaves }] of model.entries()) {
    const directory = directories[process];
    for (const [vpn, mapping] of pages) {
      const entry = directory.find(vpn);
      assert.deepEqual([tables.pfn(entry), tables.bits(entry)], mapping);
    }
    for (const [vpn, mapping] of huge) {
      const entry = directory.findHuge(vpn + 100);
      assert.deepEqual([tables.pfn(entry), tables.bits(entry)], mapping);
      assert.equal(directory.lookUp(vpn + 511), entry);
      assert.equal(directory.find(vpn + 100), NO_ENTRY, "no single entry inside a huge one");
    }
    for (const vpn of leaves) {
      assert.equal(directory.findHuge(vpn), NO_ENTRY);
      assert.equal(directory.lookUp(vpn + 9), directory.find(vpn + 9));
    }
  }
  assert.equal(
    tables.leavesInUse,
    sum(model, ({ leaves }) => leaves.size),
  );
  assert.equal(
    tables.hugeInUse,
    sum(model, ({ huge }) => huge.size),
  );
}

function command(
  name: string,
  run: (model: Model, real: Real) => void,
  check: (model: Model) => boolean = () => true,
): TableCommand {
  return {
    check: (model) => check(model),
    run(model, real) {
      run(model, real);
      assertSame(model, real);
    },
    toString: () => name,
  };
}

const SINGLE_COMMANDS = [
  fc.tuple(PROCESS, VPN, fc.nat(), fc.integer()).map(([process, vpn, pfn, bits]) =>
    command(
      `${process} maps ${vpn} to ${pfn}, ${bits}`,
      (model, { tables, directories }) => {
        tables.set(directories[process].make(vpn), pfn, bits);
        model[process].pages.set(vpn, [pfn, bits]);
        model[process].leaves.add(base(vpn));
      },
      (model) => !model[process].huge.has(base(vpn)),
    ),
  ),
  fc.tuple(PROCESS, VPN).map(([process, vpn]) =>
    command(`${process} looks at ${vpn}`, (model, { tables, directories }) => {
      const { pages, huge, leaves } = model[process];
      const entry = directories[process].find(vpn);
      const expected = pages.get(vpn);
      if (expected !== undefined) assert.equal(tables.pfn(entry), expected[0]);
      else if (entry !== NO_ENTRY) assert.equal(tables.bits(entry), 0, "an empty entry");
      const isVacant = !leaves.has(base(vpn)) && !huge.has(base(vpn));
      assert.equal(directories[process].isVacant(vpn), isVacant);
    }),
  ),
  PROCESS.map((process) =>
    command(`${process} exits`, (model, { tables, directories }) => {
      const { pages, huge, leaves } = model[process];
      const directory = directories[process];
      for (const vpn of pages.keys()) tables.set(directory.find(vpn), 0, 0);
      for (const vpn of huge.keys()) tables.set(directory.findHuge(vpn), 0, 0);
      directory.release();
      for (const kept of [pages, huge, leaves]) kept.clear();
    }),
  ),
];

const HUGE_COMMANDS = [
  fc.tuple(PROCESS, VPN, fc.nat(), fc.integer()).map(([process, vpn, pfn, bits]) =>
    command(
      `${process} maps 512 pages around ${vpn} to ${pfn}, ${bits}`,
      (model, { tables, directories }) => {
        tables.set(directories[process].makeHuge(vpn), pfn, bits);
        model[process].huge.set(base(vpn), [pfn, bits]);
      },
      (model) => !model[process].leaves.has(base(vpn)),
    ),
  ),
  fc.tuple(PROCESS, VPN).map(([process, vpn]) =>
    command(
      `${process} clears the huge entry of ${vpn}`,
      (model, { directories }) => {
        directories[process].clearHuge(vpn);
        model[process].huge.delete(base(vpn));
      },
      (model) => model[process].huge.has(base(vpn)),
    ),
  ),
  fc.tuple(PROCESS, VPN).map(([process, vpn]) =>
    command(
      `${process} splits the huge entry of ${vpn}`,
      (model, { tables, directories }) => {
        const first = directories[process].splitHuge(vpn);
        assert.equal(first, directories[process].find(base(vpn)));
        for (let entry = first; entry < first + 512; entry++) {
          assert.equal(tables.bits(entry), 0, "a new leaf is empty");
        }
        model[process].huge.delete(base(vpn));
        model[process].leaves.add(base(vpn));
      },
      (model) => model[process].huge.has(base(vpn)),
    ),
  ),
];

test("three processes' tables in one pool hold what three maps hold, and give all back", () => {
  const setup = (): { model: Model; real: Real } => {
    const tables = new PageTables();
    const directories = [0, 1, 2].map(() => new PageDirectory(tables));
    const model = [0, 1, 2].map(() => ({
      pages: new Map(),
      huge: new Map(),
      leaves: new Set<number>(),
    }));
    return { model, real: { tables, directories } };
  };
  const commands = fc.commands([...SINGLE_COMMANDS, ...HUGE_COMMANDS], { size: "+1" });
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

test("a table and a huge entry cannot stand in one place", () => {
  const directory = new PageDirectory(new PageTables());
  directory.make(5);
  assert.throws(() => directory.makeHuge(9), /a huge entry where a page table is, at 9/);
  directory.makeHuge(600);
  assert.throws(() => directory.make(1000), /a single entry inside a huge one at 1000/);
  assert.throws(() => directory.clearHuge(5), /no huge entry at 5/);
});

test("a huge entry that still maps a folio is not given back", () => {
  const tables = new PageTables();
  const directory = new PageDirectory(tables);
  tables.set(directory.makeHuge(8), 512, 1);
  assert.throws(() => directory.release(), /release of a huge entry that maps a folio/);
});
