/** The soak itself: that it is the same again for a seed, and that it sees what is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outcomes } from "../soak/outcomes.ts";
import { createWorld } from "../soak/round.ts";
import { SHAPES } from "../soak/shapes.ts";
import { processesOf } from "../soak/user-process.ts";
import type { World } from "../soak/world.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { NO_ENTRY } from "../src/vm/page-tables.ts";
import { PTE } from "../src/vm/pte.ts";

const BURSTS = 1500;

/** A machine that has been under load and rests. */
function loaded(shape = SHAPES[0], seed = 5): { world: World; outcomes: Outcomes } {
  const outcomes = new Outcomes();
  const world = createWorld(shape, seed, outcomes);
  world.scheduler.runEpoch(BURSTS);
  world.check();
  return { world, outcomes };
}

/** A page that one of the processes has written. */
function someUserPage(world: World): Pfn {
  const { vm } = world;
  for (const { mm } of processesOf(world)) {
    for (const vma of mm.vmas) {
      for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
        const entry = mm.directory.find(vpn);
        if (entry === NO_ENTRY) continue;
        if ((vm.tables.bits(entry) & (PTE.present | PTE.dirty)) === (PTE.present | PTE.dirty)) {
          return vm.tables.pfn(entry) as Pfn;
        }
      }
    }
  }
  assert.fail("no process has a page");
}

for (const shape of SHAPES) {
  test(`load on ${shape.name}: nothing is lost, and a seed gives the same run`, () => {
    const [one, other] = [loaded(shape), loaded(shape)];
    assert.deepEqual(one.outcomes.table(), other.outcomes.table());
    assert.notDeepEqual(one.outcomes.table(), loaded(shape, 6).outcomes.table());
    one.world.finish();
  });
}

test("one wrong word in one page is seen", () => {
  const { world } = loaded();
  const { frames } = world.mem;
  const page = someUserPage(world);
  frames.writeWord(page, 1023, frames.readWord(page, 1023) ^ 1);
  assert.throws(() => world.check(), /page \d+ differs at word 1023/);
});

test("one wrong word in one block of a device is seen", () => {
  const { world } = loaded();
  const { mem, vm } = world;
  const device = vm.cache.mappings.find(({ name }) => name === "blocks (moves)");
  assert.ok(device !== undefined);
  let changed = 0;
  device.folios.forEach((_, folio) => {
    for (let word = 0; word < 1024; word++) {
      mem.frames.writeWord(folio, word, mem.frames.readWord(folio, word) ^ 1);
    }
    changed++;
  });
  assert.ok(changed > 0, "a page of the device is cached");
  assert.throws(() => world.check(), /blocks \(moves\): page \d+ differs in the cache at word/);
});

test("a reference that nobody holds is seen", () => {
  const { world } = loaded();
  world.mem.refcount[someUserPage(world)]++;
  assert.throws(() => world.check(), /references, \d+ holders/);
});

test("an outcome that never occurred is told, and one that is not declared is a mistake", () => {
  const outcomes = new Outcomes();
  assert.ok(outcomes.neverSeen().includes("fork: no memory"));
  outcomes.count("fork", "no memory");
  assert.ok(!outcomes.neverSeen().includes("fork: no memory"));
  assert.throws(() => outcomes.count("fork", "a surprise"), /not declared: fork: a surprise/);
});
