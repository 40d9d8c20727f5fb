import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIGRATE } from "./constants.ts";
import { folioNrPages } from "./folio.ts";
import { folioPut } from "./folio-ref.ts";
import {
  folioAddLru,
  folioIsolateLru,
  folioPutbackLru,
  lruAddDrain,
  lruAddDrainAll,
  lruCacheDisable,
  lruCacheEnable,
} from "./lru.ts";
import { folioLruList, isolatedClass, lruLink } from "./lru-list.ts";
import { type Folio, NOT_LINKED, type Pfn, setFlag } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { LRU, LRU_NAMES } from "./node.ts";
import { folioAlloc } from "./page-alloc.ts";
import { PG } from "./page-flags.ts";
import { listFirst, listIsEnd } from "./page-list.ts";
import { smallMemory } from "./small-memory.ts";

/** Two nodes with a processor each. */
function twoNodes(): Memory {
  return smallMemory({
    pageCount: 512,
    zones: [
      { startPfn: 0, spanned: 256, node: 0 },
      { startPfn: 256, spanned: 256, node: 1 },
    ],
    nodeOfCpu: [0, 1],
    distances: [
      [10, 20],
      [20, 10],
    ],
  });
}

function newFolio(mem: Memory, node = 0, order = 0, flags = 0): Folio {
  const request = { order, migratetype: MIGRATE.movable, node, highestZone: "Normal" } as const;
  const folio = folioAlloc(mem, { ...request, onlyNode: true });
  assert.ok(folio !== null, "the memory has room");
  mem.flags[folio] |= flags;
  return folio;
}

/** The folios of one list, first to last. */
function listed(mem: Memory, node: number, lru: number): number[] {
  const list = mem.nodes[node].lruLists[lru];
  const folios: number[] = [];
  for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
    folios.push(at);
  }
  return folios;
}

/** What is known of one folio. */
interface ModelFolio {
  readonly folio: Folio;
  readonly node: number;
  readonly pages: number;
  readonly lru: number;
  /** The test's own reference. */
  owned: boolean;
  place: "nowhere" | "batch" | "list" | "isolated";
}

/** The lists and batches as arrays, first folio first. */
interface Model {
  readonly folios: ModelFolio[];
  readonly lists: ModelFolio[][][];
  readonly batches: ModelFolio[][];
  disabled: number;
  cpu: number;
}

type LruCommand = fc.Command<Model, Memory>;

function flushModel(model: Model, cpu: number): void {
  for (const each of model.batches[cpu]) {
    each.place = each.owned ? "list" : "nowhere";
    if (each.owned) model.lists[each.node][each.lru].unshift(each);
  }
  model.batches[cpu].length = 0;
}

function addToModel(model: Model, each: ModelFolio): void {
  const batch = model.batches[model.cpu];
  batch.push(each);
  each.place = "batch";
  if (batch.length === 15 || each.pages > 1 || model.disabled > 0) flushModel(model, model.cpu);
}

function referencesOf({ owned, place }: ModelFolio): number {
  return (owned ? 1 : 0) + (place === "batch" || place === "isolated" ? 1 : 0);
}

function assertSame(model: Model, mem: Memory): void {
  for (const [node, lists] of model.lists.entries()) {
    for (const [lru, list] of lists.entries()) {
      const folios = list.map(({ folio }) => folio as number);
      assert.deepEqual(listed(mem, node, lru), folios, `node ${node} ${LRU_NAMES[lru]}`);
      const pages = list.reduce((sum, each) => sum + each.pages, 0);
      assert.equal(mem.nodes[node].lruPages[lru], pages);
    }
  }
  for (const each of model.folios) {
    const references = referencesOf(each);
    if (references === 0) continue;
    assert.equal(mem.refcount[each.folio], references);
    assert.equal((mem.flags[each.folio] & PG.lru) !== 0, each.place === "list");
  }
}

function command(
  name: string,
  run: (model: Model, mem: Memory) => void,
  check: (model: Readonly<Model>) => boolean = () => true,
): LruCommand {
  return {
    check,
    run(model, mem) {
      mem.cpu = model.cpu;
      run(model, mem);
      assertSame(model, mem);
    },
    toString: () => name,
  };
}

/** A command on one of the folios of which `may` is true. */
function onFolio(
  name: string,
  may: (each: Readonly<ModelFolio>) => boolean,
  run: (each: ModelFolio, model: Model, mem: Memory) => void,
): fc.Arbitrary<LruCommand> {
  return fc.nat({ max: 100 }).map((which) =>
    command(
      `${name}(${which})`,
      (model, mem) => {
        const able = model.folios.filter(may);
        run(able[which % able.length], model, mem);
      },
      ({ folios }) => folios.some(may),
    ),
  );
}

const LISTS = [0, PG.active, PG.swapbacked, PG.swapbacked | PG.active];

const COMMANDS = [
  fc
    .tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 0, 0, 0, 0, 0, 2), fc.constantFrom(...LISTS))
    .map(([node, order, flags]) =>
      command(`add(node ${node}, order ${order}, flags ${flags})`, (model, mem) => {
        if (mem.nodes[node].zones[0].freePages < 16) return;
        const folio = newFolio(mem, node, order, flags);
        const lru = folioLruList(mem, folio);
        const pages = folioNrPages(mem, folio);
        const each: ModelFolio = { folio, node, pages, lru, owned: true, place: "nowhere" };
        model.folios.push(each);
        folioAddLru(mem, folio);
        addToModel(model, each);
      }),
    ),
  onFolio(
    "isolate",
    ({ owned }) => owned,
    (each, model, mem) => {
      assert.equal(folioIsolateLru(mem, each.folio), each.place === "list");
      if (each.place !== "list") return;
      const list = model.lists[each.node][each.lru];
      list.splice(list.indexOf(each), 1);
      each.place = "isolated";
    },
  ),
  onFolio(
    "putback",
    ({ place }) => place === "isolated",
    (each, model, mem) => {
      folioPutbackLru(mem, each.folio);
      addToModel(model, each);
    },
  ),
  onFolio(
    "release",
    ({ owned }) => owned,
    (each, model, mem) => {
      folioPut(mem, each.folio);
      each.owned = false;
      if (each.place !== "list") return;
      const list = model.lists[each.node][each.lru];
      list.splice(list.indexOf(each), 1);
      each.place = "nowhere";
    },
  ),
  fc.constant(
    command("drain", (model, mem) => {
      lruAddDrain(mem);
      flushModel(model, model.cpu);
    }),
  ),
  fc.constant(
    command("drain all", (model, mem) => {
      lruAddDrainAll(mem);
      for (const cpu of model.batches.keys()) flushModel(model, cpu);
    }),
  ),
  fc.constant(
    command("disable", (model, mem) => {
      lruCacheDisable(mem);
      for (const cpu of model.batches.keys()) flushModel(model, cpu);
      model.disabled++;
    }),
  ),
  fc.constant(
    command(
      "enable",
      (model, mem) => {
        lruCacheEnable(mem);
        model.disabled--;
      },
      ({ disabled }) => disabled > 0,
    ),
  ),
  fc.nat({ max: 1 }).map((cpu) =>
    command(`cpu ${cpu}`, (model) => {
      model.cpu = cpu;
    }),
  ),
];

test("folios go through batches, lists and isolation as a model of arrays says", () => {
  const setup = (): { model: Model; real: Memory } => {
    const lists = [0, 1].map(() => LRU_NAMES.map((): ModelFolio[] => []));
    return {
      model: { folios: [], lists, batches: [[], []], disabled: 0, cpu: 0 },
      real: twoNodes(),
    };
  };
  const commands = fc.commands(COMMANDS, { size: "+1", maxCommands: 120 });
  fc.assert(
    fc.property(commands, (list) => fc.modelRun(setup, list)),
    { numRuns: 200 },
  );
});

test("a batch holds 14 folios back and flushes with the 15th", () => {
  const mem = twoNodes();
  for (let at = 0; at < 14; at++) folioAddLru(mem, newFolio(mem));
  assert.equal(listed(mem, 0, LRU.inactiveFile).length, 0);
  folioAddLru(mem, newFolio(mem));
  assert.equal(listed(mem, 0, LRU.inactiveFile).length, 15);
});

test("the list follows from unevictable, swapbacked and active, and the class from swapbacked", () => {
  const rows: readonly (readonly [flags: number, lru: number, isolated: number])[] = [
    [0, LRU.inactiveFile, 1],
    [PG.active, LRU.activeFile, 1],
    [PG.swapbacked, LRU.inactiveAnon, 0],
    [PG.swapbacked | PG.active, LRU.activeAnon, 0],
    [PG.unevictable, LRU.unevictable, 1],
    [PG.unevictable | PG.swapbacked | PG.active, LRU.unevictable, 0],
  ];
  for (const [flags, lru, isolated] of rows) {
    const mem = twoNodes();
    const folio = newFolio(mem, 0, 0, flags);
    assert.equal(folioLruList(mem, folio), lru);
    assert.equal(isolatedClass(mem, folio), isolated);
  }
});

test("a folio that is freed while in a batch dies with the flush", () => {
  const mem = twoNodes();
  const folio = newFolio(mem);
  const free = mem.zones[0].freePages;
  folioAddLru(mem, folio);
  folioPut(mem, folio);
  assert.equal(mem.refcount[folio], 1, "the batch's");
  lruAddDrain(mem);
  assert.equal(mem.refcount[folio], 0);
  assert.equal(mem.zones[0].freePages, free + 1);
  assert.equal(mem.nodes[0].lruPages[LRU.inactiveFile], 0);
});

test("draining every processor leaves the present one as it was", () => {
  const mem = twoNodes();
  const folios = [0, 1].map((cpu) => {
    mem.cpu = cpu;
    const folio = newFolio(mem, cpu);
    folioAddLru(mem, folio);
    return folio;
  });
  mem.cpu = 1;
  lruAddDrainAll(mem);
  assert.equal(mem.cpu, 1);
  for (const folio of folios) assert.ok((mem.flags[folio] & PG.lru) !== 0);
});

test("a mlocked folio goes to the unevictable list and is not linked; one that was is rescued", () => {
  const mem = twoNodes();
  const { vmstat } = mem.events;
  const folio = newFolio(mem, 0, 0, PG.mlocked | PG.active);
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  assert.equal(folioLruList(mem, folio), LRU.unevictable);
  assert.equal(mem.flags[folio] & PG.active, 0);
  assert.equal(mem.next[folio], NOT_LINKED);
  assert.equal(mem.nodes[0].lruPages[LRU.unevictable], 1);
  assert.equal(vmstat.snapshot().unevictable_pgs_culled, 1);

  assert.equal(folioIsolateLru(mem, folio), true);
  assert.equal(mem.nodes[0].lruPages[LRU.unevictable], 0);
  mem.flags[folio] &= ~PG.mlocked;
  folioPutbackLru(mem, folio);
  lruAddDrain(mem);
  assert.deepEqual(listed(mem, 0, LRU.inactiveFile), [folio]);
  assert.equal(vmstat.snapshot().unevictable_pgs_rescued, 1);
});

test("a folio on a list cannot be added or linked again, and batches are not enabled twice", () => {
  const mem = twoNodes();
  const folio = newFolio(mem);
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  assert.throws(() => folioAddLru(mem, folio), /a folio is on the LRU already/);
  assert.throws(() => lruLink(mem, folio, "head"), /a folio is on an LRU list already/);
  assert.throws(() => lruCacheEnable(mem), /the LRU batches are not disabled/);
});

test("a list can be added to at its end, where reclaim would begin", () => {
  const mem = twoNodes();
  const folios = [newFolio(mem), newFolio(mem), newFolio(mem)];
  lruLink(mem, folios[0], "head");
  lruLink(mem, folios[1], "tail");
  lruLink(mem, folios[2], "head");
  setFlag(mem, folios[0], PG.referenced);
  const expected = [folios[2], folios[0], folios[1]].map(Number);
  assert.deepEqual(listed(mem, 0, LRU.inactiveFile), expected);
});
