/** Slots that are read ahead, against those whose pages they are. */
import assert from "node:assert/strict";
import { lruAddDrain } from "../../src/memory/lru.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { anonymousPage, type UserPage } from "../../src/vm/small-vm.ts";
import { pageOut, smallSwap } from "../../src/vm/swap/small-swap.ts";
import { unmapVma } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

type Act = (world: World, page: UserPage) => Blocking<string>;

/** The one calls its page back from the first slot; the second is another's, who acts. */
function readAheadAnd(act: Act, finds: number | null): RaceRun {
  const world = new World();
  const { vm } = world;
  const area = smallSwap(vm, migrateFolio, { slots: 4, rotational: true });
  const [one, other] = [anonymousPage(vm, 1), anonymousPage(vm, 2)];
  for (const { folio } of [one, other]) assert.equal(runToEnd(pageOut(vm, folio)), "freed");
  function* read(): Blocking<string> {
    return `read ${yield* readUser(vm, one.mm, one.vpn, 0)}`;
  }
  world.addTask("reader", read());
  world.addTask("other", act(world, other));
  return {
    tasks: world.tasks,
    outcome: () => world.outcome(),
    check: () => {
      lruAddDrain(world.mem);
      if (finds === null) assert.equal(area.count(2), 0);
      else assert.equal(runToEnd(readUser(vm, other.mm, other.vpn, 0)), finds, "a write is lost");
      world.finish();
    },
  };
}

function* write({ vm }: World, { mm, vpn }: UserPage): Blocking<string> {
  return `${yield* writeUser(vm, mm, vpn, 0, 3)}`;
}

function* unmap({ vm }: World, { vma }: UserPage): Blocking<string> {
  yield "other-unmaps";
  yield* unmapVma(vm, vma);
  return "unmapped";
}

export const swapReadaheadRaces: readonly Race[] = [
  {
    name: "a page that another's readahead brings in has what its own process writes",
    start: () => readAheadAnd(write, 3),
    schedules: 100,
    outcomes: ["read 1, done"],
    mutants: [],
  },
  {
    name: "a slot that is read ahead while its page is unmapped is free in the end",
    start: () => readAheadAnd(unmap, null),
    schedules: 50,
    outcomes: ["read 1, unmapped"],
    mutants: [
      {
        what: "a slot is claimed for a read though no entry names it any more",
        file: "src/vm/swap/swap-area.ts",
        text: 'if (this.uses[slot] === 0) return "ENOENT";',
        replacement: "",
        says: /slots in use/,
      },
    ],
  },
];
