/** One machine, from its first process to its teardown. */
import { assert } from "../src/base/assert.ts";
import { PROFILES } from "../src/base/profile.ts";
import { mix32 } from "../src/base/random.ts";
import { kswapd } from "../src/callers/reclaim/kswapd.ts";
import { filemapMigrateFolio } from "../src/migrate/callbacks.ts";
import type { AddressSpaceOperations } from "../src/pagecache/address-space.ts";
import { RamSwap } from "../src/vm/swap/swap-device.ts";
import { Tlbs } from "../src/vm/tlb.ts";
import { addMovers } from "./movers.ts";
import type { Outcomes } from "./outcomes.ts";
import { SHAPES, type SoakShape } from "./shapes.ts";
import { SoakBlocks } from "./soak-blocks.ts";
import { SoakDriver } from "./soak-driver.ts";
import { SoakFile } from "./soak-file.ts";
import { SoakHugePages } from "./soak-huge-pages.ts";
import { SoakShmem } from "./soak-shmem.ts";
import { UserProcess } from "./user-process.ts";
import { World } from "./world.ts";

/** Looks at the whole machine, and bursts between them. */
const EPOCHS = 40;
const EPOCH_BURSTS = 3000;
const MIGRATES: AddressSpaceOperations = { migrateFolio: filemapMigrateFolio };

export interface RoundResult {
  readonly shape: string;
  readonly bursts: number;
  readonly checks: number;
}

/** Rounds take the shapes in turn; a round is the same whenever seed and number are. */
export function shapeOf(round: number): SoakShape {
  return SHAPES[round % SHAPES.length];
}

/** Throws where anything was lost, leaked or broken. */
export function runRound(seed: number, round: number, outcomes: Outcomes): RoundResult {
  const shape = shapeOf(round);
  const world = createWorld(shape, mix32(seed) ^ round, outcomes);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    world.scheduler.runEpoch(EPOCH_BURSTS);
    world.check();
  }
  world.finish();
  return { shape: shape.name, bursts: world.scheduler.bursts, checks: EPOCHS };
}

/** Blocks used by their buffers, and pages of a driver. */
function addOwners(world: World): void {
  for (const kind of ["moves", "old", "scratch"] as const) new SoakBlocks(world, kind);
  // Before compaction a driver had nobody to tell of its pages.
  if (world.mem.compacts) new SoakDriver(world);
}

/** What the machine does by itself: makes room, and keeps large blocks at hand. */
function addDaemons({ machine, scheduler, cpus }: World): void {
  for (const node of machine.reclaim.nodes) {
    const { id } = node.node;
    const cpu = id % cpus;
    scheduler.addDaemon(`kswapd${id}`, cpu, kswapd(machine.reclaim, node), node.kswapdWait);
    const daemon = machine.kcompactds?.[id];
    assert(daemon !== undefined, "a machine that does not compact is loaded as one that does");
    scheduler.addDaemon(`kcompactd${id}`, cpu, daemon.run(machine.clock), daemon.wait);
  }
}

/**
 * One to read, one whose owner moves its folios, one whose owner leaves that to the fallback;
 * and shared memory.
 */
function addFiles(world: World): void {
  new SoakFile(world, { name: "a program", pages: 24, isWritable: false, ops: MIGRATES });
  new SoakFile(world, { name: "a file", pages: 40, isWritable: true, ops: MIGRATES });
  new SoakFile(world, { name: "an old file", pages: 40, isWritable: true, ops: {} });
  new SoakShmem(world);
}

/** A machine with all its workers, none of which has begun. */
export function createWorld(shape: SoakShape, seed: number, outcomes: Outcomes): World {
  const world = new World(shape, seed, outcomes);
  world.mem.profile = PROFILES[shape.release];
  const { swapSlots: slots } = shape;
  const device = new RamSwap(world.mem, slots);
  world.machine.swapOn({ name: "swap", priority: 0, slots, device });
  if (shape.hasTlbs) world.vm.tlbs = new Tlbs(world.cpus);
  if (shape.hasPools) new SoakHugePages(world);
  for (let at = 0; at < shape.processes; at++) {
    new UserProcess(world, world.vm.createMm(`process ${at}`));
  }
  addDaemons(world);
  addFiles(world);
  addOwners(world);
  addMovers(world);
  return world;
}
