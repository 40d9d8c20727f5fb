/** What the races have in common: a machine, tasks that move folios, and the last look at it. */
import assert from "node:assert/strict";
import { checkInvariants } from "../../src/machine/invariants.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { smallMachine } from "../../src/machine/small-machine.ts";
import { teardown } from "../../src/machine/teardown.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import type { SmallMemoryShape } from "../../src/memory/small-memory.ts";
import { migratePages } from "../../src/migrate/migrate-pages.ts";
import { MigrateRun } from "../../src/migrate/migrate-run.ts";
import { migrateFolioMove } from "../../src/migrate/move.ts";
import { putbackMovablePages } from "../../src/migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../../src/migrate/small-migration.ts";
import { migrateFolioUnmap, type Patience } from "../../src/migrate/unmap.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { Task } from "../../src/sched/task.ts";
import { mapNewAnonymous } from "../../src/vm/copy-on-write.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import type { UserPage } from "../../src/vm/small-vm.ts";
import type { Vm } from "../../src/vm/vm.ts";

export class World {
  readonly machine: Machine;
  readonly tasks: Task[] = [];
  /** What the tasks did, in the order in which they were made; "" until they have. */
  readonly log: string[] = [];

  /** 64 frames, or what `shape` says. */
  constructor(shape?: SmallMemoryShape) {
    this.machine = smallMachine(shape);
  }

  get vm(): Vm {
    return this.machine.vm;
  }

  get mem(): Memory {
    return this.machine.mem;
  }

  /** Adds a task that ends with one word for what it did. */
  addTask(name: string, body: Blocking<string>): void {
    const at = this.log.push("") - 1;
    const { log } = this;
    function* run(): Blocking<void> {
      log[at] = yield* body;
    }
    this.tasks.push(new Task(name, run()));
  }

  outcome(): string {
    return this.log.join(", ");
  }

  /** The machine is whole, and comes down without a leak. */
  finish(): void {
    checkInvariants(this.machine);
    teardown(this.machine);
  }
}

/** Isolates and moves the folio that `pick` names then; puts back what stays. */
export function* move(world: World, pick: () => Folio | null): Blocking<string> {
  const { vm, mem } = world;
  yield "mover-begins";
  const folio = pick();
  if (folio === null) return "found nothing";
  const list = mem.takeList();
  let did = "not isolated";
  if (isolateForMigration(mem, folio, list)) {
    const target = new AllocTarget(mem);
    const result = yield* migratePages(vm, list, target, "sync", "syscall_or_cpuset");
    did = result.notMoved === 0 ? "moved" : "stayed";
    yield* putbackMovablePages(vm, list);
  }
  mem.releaseList(list);
  return did;
}

/** One of the ten tries that a call has, for races in which all ten would be too many. */
export function* moveOnce(
  world: World,
  folio: Folio,
  patience: Patience = "tries",
): Blocking<string> {
  const { vm, mem } = world;
  const list = mem.takeList();
  const run = new MigrateRun(vm, new AllocTarget(mem), "sync", "syscall_or_cpuset");
  let did = "not isolated";
  if (isolateForMigration(mem, folio, list)) {
    const unmapped = yield* migrateFolioUnmap(run, folio, patience);
    did = unmapped === "unmapped" ? yield* migrateFolioMove(run, folio) : unmapped;
    yield* putbackMovablePages(vm, list);
  }
  mem.releaseList(run.refused);
  mem.releaseList(list);
  return did;
}

/** Writes to a page and reads it back. */
export function* writeAndRead(world: World, page: UserPage, value: number): Blocking<string> {
  const { vm } = world;
  const { mm, vpn } = page;
  assert.equal(yield* writeUser(vm, mm, vpn, 0, value), "done");
  assert.equal(yield* readUser(vm, mm, vpn, 0), value, "the write is lost");
  return "wrote";
}

/** A new process that maps a file's first page privately and has its own copy, of zeros. */
export function privateCopy(vm: Vm, file: AddressSpace): UserPage {
  const mm = vm.createMm(`process ${vm.mms.length}`);
  const vma = vm.mapFilePrivate(mm, { ...mm.freeRange(1), pgoff: 0 }, file);
  const vpn = vma.startVpn;
  vm.prepareAnonVma(vma);
  const folio = folioAlloc(vm.mem, movableRequest(0));
  assert.ok(folio !== null, "there is memory for a copy");
  vm.mem.frames.clear(folio);
  const entry = mm.directory.make(vpn);
  mapNewAnonymous(vm, vma, vpn, entry, folio);
  mm.rssPages++;
  lruAddDrain(vm.mem);
  return { mm, vma, vpn, entry, folio };
}

/** Whether the process's page lies in the frame where it was at first. */
export function whereIs(world: World, page: UserPage): "old frame" | "new frame" {
  const now = world.vm.tables.pfn(page.entry);
  return now === (page.folio as number) ? "old frame" : "new frame";
}
