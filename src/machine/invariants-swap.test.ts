import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "../vm/fault.ts";
import { forkMm } from "../vm/fork.ts";
import { anonymousPage, cachedFolio, type UserPage } from "../vm/small-vm.ts";
import { pageOut, smallSwap } from "../vm/swap/small-swap.ts";
import type { Swap } from "../vm/swap/swap.ts";
import type { SwapArea } from "../vm/swap/swap-area.ts";
import { fillContents, verifyContents } from "./contents.ts";
import { assertFound, brokenMachines, type Corruption } from "./corruption.ts";
import { checkInvariants } from "./invariants.ts";
import { SWAP_INVARIANTS } from "./invariants-swap.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

/** Pages that are out, shared by a fork, and in the cache. */
interface Scene {
  readonly machine: Machine;
  readonly swap: Swap;
  readonly area: SwapArea;
  readonly out: UserPage;
  readonly shared: UserPage;
  readonly cached: UserPage;
}

function newScene(): Scene {
  const machine = smallMachine();
  const { mem, vm } = machine;
  const area = smallSwap(vm);
  const [out, shared, cached] = [1, 2, 3].map((value) => anonymousPage(vm, value));
  for (const { folio } of [out, shared]) assert.equal(runToEnd(pageOut(vm, folio)), "freed");
  assert.ok(forkMm(vm, shared.mm, "a child") !== null);
  folioGet(mem, cached.folio);
  assert.equal(runToEnd(pageOut(vm, cached.folio)), "cached");
  folioPut(mem, cached.folio);
  lruAddDrain(mem);
  assert.ok(vm.swap !== null);
  return { machine, swap: vm.swap, area, out, shared, cached };
}

const SLOTS: readonly Corruption<Scene>[] = [
  {
    what: "an entry that no slot counts",
    says: /slot 1: 2 entries, counted 1/,
    corrupt: ({ machine: { vm }, out, cached }) => {
      vm.tables.set(cached.entry, vm.tables.pfn(out.entry), vm.tables.bits(out.entry));
    },
  },
  {
    what: "a page of shmem that no slot counts",
    says: /slot 1: 2 entries, counted 1/,
    corrupt: ({ machine: { vm } }) => {
      const file = vm.shmem?.createFile("shm", 4096);
      assert.ok(file !== undefined);
      file.swapped = new Map([[0, 1]]);
    },
  },
  {
    what: "a slot that counts an entry too many",
    says: /slot 2: 2 entries, counted 3/,
    corrupt: ({ area }) => area.duplicate(2),
  },
  {
    what: "an entry for a slot that is not there",
    says: /entry 99 names no slot/,
    corrupt: ({ machine: { vm }, area, out }) => {
      vm.tables.set(out.entry, 99, vm.tables.bits(out.entry));
      area.free(1);
    },
  },
  {
    what: "a slot that is claimed by nobody",
    says: /slot 1: not cached and claimed/,
    corrupt: ({ area }) => void area.prepareCache(1),
  },
  {
    what: "a folio whose slot is not claimed",
    says: /slot 3: cached and not claimed/,
    corrupt: ({ area }) => area.dropCache(3),
  },
  {
    what: "a slot more in use than are",
    says: /3 slots in use, counted 4/,
    corrupt: ({ area }) => {
      area.slotsInUse++;
    },
  },
  {
    what: "a process that counts an entry too few",
    says: /process \d: 1 entries of swap, counted 0/,
    corrupt: ({ out }) => {
      out.mm.swapEntries--;
    },
  },
];

const CACHE: readonly Corruption<Scene>[] = [
  {
    what: "a folio with another's entry",
    says: /names a slot that has no folio/,
    corrupt: ({ machine: { mem }, cached }) => {
      mem.private[cached.folio] = 1;
    },
  },
  {
    what: "a folio that says that it is cached and is not",
    says: /names a slot that has \d+/,
    corrupt: ({ machine: { mem }, cached }) => {
      const other = (cached.folio + 1) as Folio;
      mem.flags[other] = PG.swapcache | PG.swapbacked;
      mem.private[other] = mem.private[cached.folio];
    },
  },
  {
    what: "a cached folio without the flag",
    says: /0 pages name a slot, 1 are cached/,
    corrupt: ({ machine: { mem }, cached }) => {
      mem.flags[cached.folio] &= ~PG.swapcache;
    },
  },
  {
    what: "a page too many counted",
    says: /node 0: 1 pages in the swap cache, counted 2/,
    corrupt: ({ machine: { mem } }) => {
      mem.nodes[0].swapcachePages++;
    },
  },
];

const SHMEM: readonly Corruption<Scene>[] = [
  {
    what: "a page that its file has and swap too",
    says: /shm page 0 is cached and in swap/,
    corrupt: ({ machine: { vm }, shared }) => {
      const file = vm.shmem?.createFile("shm", 4096);
      assert.ok(file !== undefined);
      cachedFolio(vm, file, 0, 1);
      file.swapped = new Map([[0, vm.tables.pfn(shared.entry)]]);
    },
  },
];

for (const broken of brokenMachines(SWAP_INVARIANTS, [SLOTS, SHMEM, CACHE])) {
  test(`${broken.rule.name}: it finds ${broken.what}`, () => assertFound(newScene(), broken));
}

test("a machine with pages in swap is whole, and comes down with no slot left", () => {
  const { machine, area } = newScene();
  checkInvariants(machine);
  teardown(machine);
  assert.equal(area.slotsInUse, 0);
});

test("pages that are out are filled where they are, and proved wherever they are then", () => {
  const { machine, out, shared, cached } = newScene();
  const { vm } = machine;
  assert.equal(fillContents(machine, 7), 3);
  assert.deepEqual(verifyContents(machine, 7, 3), { pages: 3, mismatched: 0 });
  for (const { mm, vpn } of [out, shared, cached]) {
    assert.equal(typeof runToEnd(readUser(vm, mm, vpn, 0)), "number");
  }
  assert.deepEqual(verifyContents(machine, 7, 3), { pages: 3, mismatched: 0 });
});

test("a slot with other bytes is found, and one that nobody reaches any more", () => {
  const { machine, area, out } = newScene();
  const filled = fillContents(machine, 7);
  area.device.frames?.writeWord(1 as never, 0, 99);
  assert.equal(verifyContents(machine, 7, filled).mismatched, 1);
  machine.vm.tables.set(out.entry, 0, 0);
  assert.equal(verifyContents(machine, 7, filled).mismatched, 1);
});

const LEAKS: readonly Corruption<Scene>[] = [
  {
    what: "a slot",
    says: /slots of a swap area leaked: 1/,
    corrupt: ({ area }) => assert.ok(area.allocate(1) > 0),
  },
  {
    what: "a page counted in the swap cache",
    says: /pages left in the swap cache: 1/,
    corrupt: ({ machine: { mem } }) => {
      mem.nodes[0].swapcachePages++;
    },
  },
];

for (const { what, says, corrupt } of LEAKS) {
  test(`teardown finds ${what} that was left behind`, () => {
    const scene = newScene();
    corrupt(scene);
    assert.throws(() => teardown(scene.machine), { name: "InvariantError", message: says });
  });
}
