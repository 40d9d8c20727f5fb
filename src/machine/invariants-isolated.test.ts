import assert from "node:assert/strict";
import { test } from "node:test";
import { folioPut } from "../memory/folio-ref.ts";
import { folioIsolateLru, lruAddDrain } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { putbackMovablePages } from "../migrate/putback.ts";
import { SmallDriver } from "../migrate/small-driver.ts";
import { isolateForMigration } from "../migrate/small-migration.ts";
import { runToEnd } from "../sched/run.ts";
import { anonymousPage, cachedFolio, mapFilePage } from "../vm/small-vm.ts";
import { assertFound, brokenMachines, type Corruption } from "./corruption.ts";
import { checkInvariants } from "./invariants.ts";
import { ISOLATED_INVARIANTS } from "./invariants-isolated.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";

/** A process's page and a large folio of a file, both on the LRU, and a driver's page. */
interface Scene {
  readonly machine: Machine;
  readonly anon: Folio;
  readonly large: Folio;
}

function newScene(): Scene {
  const machine = smallMachine();
  const { mem, vm } = machine;
  const anon = anonymousPage(vm, 1).folio;
  const file = vm.cache.createMapping("a file", {});
  const large = mapFilePage(vm, file, cachedFolio(vm, file, 8, 4, 2)).folio;
  new SmallDriver(vm.cache).add(5);
  lruAddDrain(mem);
  return { machine, anon, large };
}

test("what is taken off the LRU and counted is right, and so is what is on its way back", () => {
  const { machine, anon, large } = newScene();
  const { mem, vm } = machine;
  const list = mem.takeList();
  checkInvariants(machine);
  for (const folio of [large, anon]) {
    assert.ok(isolateForMigration(mem, folio, list));
    machine.recordHold(folio, 1);
    checkInvariants(machine);
  }
  assert.deepEqual([...mem.nodes[0].isolatedPages], [1, 4]);
  runToEnd(putbackMovablePages(vm, list));
  machine.holds.clear();
  assert.equal(mem.flags[anon] & PG.lru, 0, "it is in a batch");
  checkInvariants(machine);
  mem.releaseList(list);
});

test("what a snapshot found off the LRU is in a batch or isolated, and it does not say which", () => {
  const { machine, anon } = newScene();
  takeOff(machine, anon);
  machine.recordHold(anon, 1);
  machine.offLru.add(anon);
  checkInvariants(machine);
});

const CORRUPTIONS: readonly Corruption<Scene>[] = [
  {
    what: "a folio that was put back and is still counted",
    says: /node 0: 0 and 0 pages .* counted 1 and 0/,
    corrupt: ({ machine }) => machine.mem.nodes[0].isolatedPages[0]++,
  },
  {
    what: "a folio that is counted in the other class",
    says: /node 0: 1 and 0 pages .* counted 0 and 1/,
    corrupt({ machine, anon }) {
      takeOff(machine, anon);
      machine.mem.nodes[0].isolatedPages[1]++;
    },
  },
  {
    what: "a large folio that is counted as one page",
    says: /node 0: 0 and 4 pages .* counted 0 and 1/,
    corrupt({ machine, large }) {
      takeOff(machine, large);
      machine.mem.nodes[0].isolatedPages[1]++;
    },
  },
  {
    what: "a folio that nobody has and that is not on the LRU",
    says: /node 0: 1 and 0 pages .* counted 0 and 0/,
    corrupt({ machine, anon }) {
      takeOff(machine, anon);
      folioPut(machine.mem, anon);
    },
  },
];

for (const broken of brokenMachines(ISOLATED_INVARIANTS, [CORRUPTIONS])) {
  test(`${broken.rule.name}: it finds ${broken.what}`, () => assertFound(newScene(), broken));
}

function takeOff({ mem }: Machine, folio: Folio): void {
  assert.ok(folioIsolateLru(mem, folio));
}
