/** The rules for pools of huge pages, each on machines that break it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Folio } from "../memory/memmap.ts";
import { listDel } from "../memory/page-list.ts";
import { createHugetlbFile, type HugetlbFile } from "../vm/hugetlb/file.ts";
import { clearHugetlbBit, HPG, setHugetlbBit } from "../vm/hugetlb/folio-state.ts";
import type { Hstate } from "../vm/hugetlb/hstate.ts";
import {
  hugetlbShape,
  mapHuge,
  mapHugeFile,
  smallPool,
  touchHuge,
} from "../vm/hugetlb/small-hugetlb.ts";
import type { Mm } from "../vm/mm.ts";
import { assertFound, brokenMachines, type Corruption } from "./corruption.ts";
import { checkInvariants } from "./invariants.ts";
import { HUGETLB_INVARIANTS } from "./invariants-hugetlb.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

/** Five huge pages on two nodes: a private one in use, one of a file, two promised, one free. */
interface Scene {
  readonly machine: Machine;
  readonly hstate: Hstate;
  readonly mm: Mm;
  readonly file: HugetlbFile;
  readonly used: Folio;
  readonly free: Folio;
}

function newScene(): Scene {
  const machine = smallMachine(hugetlbShape(2, 4));
  const { vm, mem } = machine;
  const hstate = smallPool(vm, [3, 2]);
  const mm = vm.createMm("a process");
  const used = touchHuge(vm, mapHuge(vm, mm, 2), 0, 1);
  const file = createHugetlbFile(vm, hstate, "a file", {}, hstate.addSubpool(3));
  touchHuge(vm, mapHugeFile(vm, mm, file, 2), 1, 2);
  const free = mem.next[hstate.freeLists[1]] as Folio;
  return { machine, hstate, mm, file, used, free };
}

const POOL: readonly Corruption<Scene>[] = [
  {
    what: "a free page on another node's list",
    says: /huge page \d+ is on node 0's free list/,
    corrupt({ machine: { mem }, hstate, free }) {
      listDel(mem, free);
      mem.next[free] = mem.next[hstate.freeLists[0]];
      mem.next[hstate.freeLists[0]] = free;
    },
  },
  {
    what: "a free page with a reference",
    says: /huge page \d+ is free and has references/,
    corrupt({ machine: { mem }, free }) {
      mem.refcount[free] = 1;
    },
  },
  {
    what: "a free page that does not know it",
    says: /huge page \d+ is free by its list/,
    corrupt({ machine: { mem }, free }) {
      clearHugetlbBit(mem, free, HPG.freed);
    },
  },
  {
    what: "a page that is neither free nor in use",
    says: /huge page \d+ is in use, and has no references/,
    corrupt({ machine: { mem }, free }) {
      listDel(mem, free);
    },
  },
  {
    what: "a page in use that is on no list",
    says: /huge page \d+ is in use, and on no list/,
    corrupt({ machine: { mem }, used }) {
      listDel(mem, used);
    },
  },
  {
    what: "a page that was isolated and not put back",
    says: /huge page \d+ is in use, and cannot be isolated/,
    corrupt({ machine: { mem }, used }) {
      clearHugetlbBit(mem, used, HPG.migratable);
    },
  },
  {
    what: "a page in use that a move left temporary",
    says: /huge page \d+ is in use, and temporary/,
    corrupt({ machine: { mem }, used }) {
      setHugetlbBit(mem, used, HPG.temporary);
    },
  },
  {
    what: "a page in use that would go back to the reserve",
    says: /huge page \d+ is in use, and of the reserve/,
    corrupt({ machine: { mem }, used }) {
      setHugetlbBit(mem, used, HPG.restoreReserve);
    },
  },
  {
    what: "a wrong count of a node's pages",
    says: /node 0: 3 and 1 huge pages and free ones, counted 4 and 1/,
    corrupt({ hstate }) {
      hstate.nrHugePagesNode[0]++;
    },
  },
  {
    what: "more surplus pages than there are",
    says: /node 1: 3 surplus huge pages/,
    corrupt({ hstate }) {
      hstate.surplusHugePagesNode[1] = 3;
    },
  },
  {
    what: "a wrong sum",
    says: /huge pages by node: 5,3,0, counted 5,2,0/,
    corrupt({ hstate }) {
      hstate.freeHugePages--;
    },
  },
];

const PROMISES: readonly Corruption<Scene>[] = [
  {
    what: "a promise that nobody was given",
    says: /2 huge pages promised, counted 3/,
    corrupt({ hstate }) {
      hstate.resvHugePages++;
    },
  },
  {
    what: "more promises than free pages",
    says: /2 huge pages promised, 1 free/,
    corrupt({ hstate }) {
      hstate.freeHugePages = 1;
    },
  },
  {
    what: "a wrong charge of a mount",
    says: /subpool 0: 2 huge pages, counted 1/,
    corrupt({ hstate }) {
      hstate.subpools[0].usedHugePages = 1;
    },
  },
];

test("nothing is wrong with a pool that has pages of every kind, and all of it comes down", () => {
  const { machine, hstate } = newScene();
  assert.deepEqual([hstate.nrHugePages, hstate.freeHugePages, hstate.resvHugePages], [5, 3, 2]);
  checkInvariants(machine);
  teardown(machine);
  assert.equal(machine.vm.hstate, null);
});

for (const broken of brokenMachines(HUGETLB_INVARIANTS, [POOL, PROMISES])) {
  test(`${broken.rule.name}: it finds ${broken.what}`, () => assertFound(newScene(), broken));
}

test("a wrong count of what a process maps of huge pages is found", () => {
  const { machine, mm } = newScene();
  mm.hugetlbPages -= 512;
  assert.throws(() => checkInvariants(machine), /a process: 1024 entries, counted 512/);
});

test("a file's huge page counts as one reference of its file", () => {
  const { machine, file } = newScene();
  const folio = file.mapping.folios.load(512);
  assert.ok(folio !== null);
  machine.mem.refcount[folio] += 511;
  assert.throws(() => checkInvariants(machine), /513 references, 2 holders/);
});

test("a huge page, a promise or a charge that is left over is found at the end", () => {
  const leaks: [(scene: Scene) => void, RegExp][] = [
    [({ hstate }) => void hstate.resvHugePages++, /huge pages are still promised: 1/],
    [({ hstate }) => void hstate.nrHugePages++, /huge pages leaked: 1/],
    [({ hstate }) => void hstate.surplusHugePages++, /surplus huge pages leaked: 1/],
    [({ hstate }) => void hstate.subpools[0].usedHugePages++, /a subpool is still charged: 0 1/],
  ];
  for (const [leak, says] of leaks) {
    const scene = newScene();
    leak(scene);
    assert.throws(() => teardown(scene.machine), says);
  }
});
