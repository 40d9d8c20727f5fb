import assert from "node:assert/strict";
import { test } from "node:test";
import { deferredSplitFolio } from "../memory/deferred-split.ts";
import type { Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { listAddTail } from "../memory/page-list.ts";
import { runToEnd } from "../sched/run.ts";
import { PTE } from "../vm/pte.ts";
import { cachedFolio, hugePage, type UserPage } from "../vm/small-vm.ts";
import { unmapRange } from "../vm/zap.ts";
import { assertFound, brokenMachines, type Corruption } from "./corruption.ts";
import { checkInvariants } from "./invariants.ts";
import { LARGE_INVARIANTS } from "./invariants-large.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

/** A machine with a huge page that is mapped whole, and one of which half was unmapped. */
interface Scene {
  readonly machine: Machine;
  readonly whole: UserPage;
  readonly half: UserPage;
}

function newScene(): Scene {
  const machine = smallMachine({
    pageCount: 4096,
    nodeOfCpu: [0],
    distances: [
      [10, 20],
      [20, 10],
    ],
    zones: [
      { startPfn: 0, spanned: 3072 },
      { startPfn: 3072, spanned: 1024, node: 1 },
    ],
  });
  const whole = hugePage(machine.vm, 1);
  const half = hugePage(machine.vm, 2);
  runToEnd(unmapRange(machine.vm, half.mm, half.vpn + 256, half.vpn + 512));
  return { machine, whole, half };
}

const ENTRIES: readonly Corruption<Scene>[] = [
  {
    what: "a huge mapping too many",
    says: /folio 512: 1 huge entries, counted 2/,
    corrupt({ machine, whole }) {
      machine.mem.mapping[whole.folio + 1]++;
    },
  },
  {
    what: "a huge entry that maps no huge folio",
    says: /process 0 page 512: maps 700, no huge folio/,
    corrupt({ machine: { vm }, whole }) {
      vm.tables.set(whole.entry, 700, vm.tables.bits(whole.entry));
    },
  },
  {
    what: "a huge entry that does not say so",
    says: /process 0 page 512: a huge entry without its mark/,
    corrupt({ machine: { vm }, whole }) {
      vm.tables.set(whole.entry, whole.folio, PTE.present);
    },
  },
  {
    what: "a VMA that was cut across a huge entry",
    says: /process 0 page 512: a huge entry reaches beyond its VMA/,
    corrupt({ whole }) {
      whole.vma.endVpn -= 256;
    },
  },
];

const QUEUES: readonly Corruption<Scene>[] = [
  {
    what: "a wrong length of the queue",
    says: /node 0: 1 folios queued to be split, counted 2/,
    corrupt({ machine }) {
      machine.mem.nodes[0].deferredSplitCount++;
    },
  },
  {
    what: "a folio that was freed while on the queue",
    says: /folio \d+, queued to be split, has no references/,
    corrupt({ machine, half }) {
      machine.mem.refcount[half.folio] = 0;
    },
  },
  {
    what: "a page of no large folio on the queue",
    says: /folio \d+, queued to be split, has order 0/,
    corrupt({ machine, half }) {
      machine.mem.flags[half.folio] &= ~PG.head;
    },
  },
  {
    what: "a file's folio on the queue",
    says: /folio \d+, queued to be split, is not anonymous/,
    corrupt({ machine: { mem, vm } }) {
      const file = vm.cache.createMapping("a file", {});
      deferredSplitFolio(mem, cachedFolio(vm, file, 0, 3, 2));
    },
  },
  {
    what: "a folio on another node's queue",
    says: /folio 512, queued to be split, is of another node than 1/,
    corrupt({ machine: { mem }, whole }) {
      listAddTail(mem, mem.nodes[1].deferredSplit, (whole.folio + 2) as Pfn);
      mem.nodes[1].deferredSplitCount++;
    },
  },
];

test("nothing is wrong with huge pages mapped whole and in part, and nothing of them is left", () => {
  const { machine, whole, half } = newScene();
  assert.equal(machine.mem.mapping[whole.folio + 1], 1);
  assert.equal(machine.mem.refcount[half.folio], 256);
  checkInvariants(machine);
  teardown(machine);
});

for (const broken of brokenMachines(LARGE_INVARIANTS, [ENTRIES, QUEUES])) {
  test(`${broken.rule.name}: it finds ${broken.what}`, () => assertFound(newScene(), broken));
}
