/**
 * Those who ask for moves, and those who are in the way of them.
 */

import { ERRNO } from "../src/base/errno.ts";
import { compactZone } from "../src/callers/compaction/compact-zone.ts";
import { COMPACT_MEMORY, type CompactRequest } from "../src/callers/compaction/control.ts";
import { MPOL_MF, movePages } from "../src/callers/move-pages/move-pages.ts";
import { userInput, userOutput } from "../src/callers/move-pages/user-array.ts";
import { MIGRATE } from "../src/memory/constants.ts";
import { pageFolio } from "../src/memory/folio.ts";
import { folioTrylock, folioUnlock } from "../src/memory/folio-lock.ts";
import { folioGet, folioPut, folioTryGet } from "../src/memory/folio-ref.ts";
import { lruAddDrainAll } from "../src/memory/lru.ts";
import type { Folio, Pfn } from "../src/memory/memmap.ts";
import { folioAlloc } from "../src/memory/page-alloc.ts";
import { PG } from "../src/memory/page-flags.ts";
import { drainAllPages } from "../src/memory/pcp.ts";
import { migratePages } from "../src/migrate/migrate-pages.ts";
import { putbackMovablePages } from "../src/migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../src/migrate/small-migration.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { ksmScan } from "../src/vm/ksm/scan.ts";
import { credentialsOf, Process } from "../src/vm/process.ts";
import { processesOf } from "./user-process.ts";
import type { World } from "./world.ts";

/** Blocks of kernel memory that come and go. */
const KERNEL_BLOCKS = 24;
/** An address where no process maps anything. */
const UNMAPPED_VPN = 0x7fff_0000;

export function addMovers(world: World): void {
  const { scheduler, cpus } = world;
  scheduler.addWorker("compaction", 0, () => compact(world));
  scheduler.addWorker("second compaction", cpus - 1, () => compact(world));
  scheduler.addWorker("move_pages", 0, () => movePagesOfSome(world));
  scheduler.addWorker("second move_pages", cpus - 1, () => movePagesOfSome(world));
  scheduler.addWorker("pfn walker", cpus - 1, () => walkPfns(world));
  scheduler.addWorker("locker", 0, () => lockSome(world));
  const locked: Folio[] = [];
  scheduler.addWorker("mover of one", 0, () => moveOne(world, locked));
  scheduler.addWorker("ksmd", cpus - 1, () => mergeSome(world));
  scheduler.addWorker("drains", 0, () => drain(world));
  const blocks: Folio[] = [];
  scheduler.addWorker("kernel", cpus - 1, () => useKernelMemory(world, blocks));
  world.owners.add({
    name: "kernel",
    verify: () => {},
    leave: () => {
      while (locked.length > 0) unlockFound(world, locked);
      for (const block of blocks) freeBlock(world, block);
    },
  });
}

function* compact(world: World): Blocking<"again"> {
  const { vm, machine, outcomes, random } = world;
  const zone = world.pick(world.mem.zones);
  const order = random.chance(0.5) ? -1 : 1 + random.below(9);
  const request: CompactRequest = {
    ...COMPACT_MEMORY,
    order,
    mode: world.pick(["async", "sync-light", "sync"]),
    wholeZone: random.chance(0.5),
    ignoreSkipHint: random.chance(0.5),
    direct: order > 0 && random.chance(0.5),
  };
  const { result } = yield* compactZone(vm, zone, request, machine.sysctl);
  outcomes.count("compaction", result);
  return "again";
}

function* movePagesOfSome(world: World): Blocking<"again"> {
  const { vm, machine, random, outcomes } = world;
  const { mm } = world.pick(processesOf(world));
  const pages: number[] = [];
  for (let at = random.below(40); at >= 0; at--) {
    if (mm.vmas.length === 0 || random.chance(0.02)) pages.push(UNMAPPED_VPN);
    else {
      const { startVpn, endVpn } = world.pick(mm.vmas);
      pages.push(startVpn + random.below(endVpn - startVpn));
    }
  }
  const node = random.chance(0.05) ? 63 : random.below(world.mem.nodes.length);
  const nodes = pages.map(() => (random.chance(0.9) ? node : 0));
  const status = new Int32Array(pages.length).fill(-9999);
  const flags = random.chance(0.5) ? MPOL_MF.move : MPOL_MF.moveAll;
  const { value, errno } = yield* movePages(vm, machine.processes, {
    caller: new Process(1, "move_pages", mm, credentialsOf(0)),
    pid: 0,
    nrPages: pages.length,
    pages: userInput(pages),
    nodes: userInput(nodes),
    flags,
    status: userOutput(status),
  });
  outcomes.count("move_pages", errno ?? (value === 0 ? "0" : "some stayed"));
  for (const each of status) {
    if (each >= 0) outcomes.count("page_status", "node");
    for (const name of ["EFAULT", "ENOENT", "EACCES", "EBUSY"] as const) {
      if (each === -ERRNO[name]) outcomes.count("page_status", name);
    }
  }
  return "again";
}

/** Looks at frames by number, as /proc/kpageflags and hot-remove do, each with a reference. */
function* walkPfns(world: World): Blocking<"again"> {
  const { mem, random } = world;
  const folio = pageFolio(mem, random.below(mem.pageCount) as Pfn);
  if (!folioTryGet(mem, folio)) return "again";
  world.hold(folio, 1);
  for (let at = random.below(8); at > 0; at--) yield "pfn-walker-looks";
  world.hold(folio, -1);
  folioPut(mem, folio);
  return "again";
}

/** Locks folios for a while, as everybody does who changes one. */
function* lockSome(world: World): Blocking<"again"> {
  const { mem, random } = world;
  const folio = pageFolio(mem, random.below(mem.pageCount) as Pfn);
  if ((mem.flags[folio] & PG.lru) === 0 || !folioTryGet(mem, folio)) return "again";
  world.hold(folio, 1);
  if (folioTrylock(mem, folio)) {
    for (let at = random.below(40); at > 0; at--) yield "locker-holds";
    folioUnlock(mem, folio);
  }
  world.hold(folio, -1);
  folioPut(mem, folio);
  return "again";
}

/** Moves any folio of the LRU, to a new one that somebody may have found and locked meanwhile. */
function* moveOne(world: World, locked: Folio[]): Blocking<"again"> {
  const { vm, mem, random } = world;
  yield "mover-begins";
  const folio = pageFolio(mem, random.below(mem.pageCount) as Pfn);
  const list = mem.takeList();
  if ((mem.flags[folio] & PG.lru) !== 0 && isolateForMigration(mem, folio, list)) {
    const target = new FoundTarget(world, locked);
    const mode = world.pick(["async", "sync-light", "sync"] as const);
    yield* migratePages(vm, list, target, mode, "syscall_or_cpuset");
    yield* putbackMovablePages(vm, list);
  }
  mem.releaseList(list);
  while (locked.length > 0 && random.chance(0.7)) unlockFound(world, locked);
  return "again";
}

/** Gives new folios of which a few are locked by who came by, as memory failure does. */
class FoundTarget extends AllocTarget {
  private readonly world: World;
  private readonly locked: Folio[];

  constructor(world: World, locked: Folio[]) {
    super(world.mem, world.random.below(world.mem.nodes.length));
    this.world = world;
    this.locked = locked;
  }

  override *getNew(src: Folio): Blocking<Folio | null> {
    const dst = yield* super.getNew(src);
    const { mem, random } = this.world;
    if (dst === null || !random.chance(0.1)) return dst;
    folioGet(mem, dst);
    this.world.hold(dst, 1);
    if (folioTrylock(mem, dst)) this.locked.push(dst);
    return dst;
  }
}

function unlockFound(world: World, locked: Folio[]): void {
  const folio = locked.pop();
  if (folio === undefined) return;
  folioUnlock(world.mem, folio);
  world.hold(folio, -1);
  folioPut(world.mem, folio);
}

function* mergeSome(world: World): Blocking<"again"> {
  for (let at = 0; at < 10; at++) yield "ksmd-waits";
  yield* ksmScan(world.vm, 8);
  return "again";
}

function* drain(world: World): Blocking<"again"> {
  for (let at = 0; at < 20; at++) yield "drains-wait";
  if (world.random.chance(0.5)) lruAddDrainAll(world.mem);
  else drainAllPages(world.mem);
  return "again";
}

/** Unmovable memory of all orders, which parts what could be whole. */
function* useKernelMemory(world: World, blocks: Folio[]): Blocking<"again"> {
  const { mem, random } = world;
  yield "kernel-works";
  if (blocks.length >= KERNEL_BLOCKS || (blocks.length > 0 && random.chance(0.45))) {
    const [block] = blocks.splice(random.below(blocks.length), 1);
    freeBlock(world, block);
    return "again";
  }
  const block = folioAlloc(mem, {
    order: random.below(5),
    migratetype: MIGRATE.unmovable,
    node: random.below(mem.nodes.length),
    highestZone: "Normal",
  });
  if (block !== null) {
    world.hold(block, 1);
    blocks.push(block);
  }
  return "again";
}

function freeBlock(world: World, block: Folio): void {
  world.hold(block, -1);
  folioPut(world.mem, block);
}
