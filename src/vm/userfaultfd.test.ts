import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../sched/run.ts";
import { WouldSleepError } from "../sched/wait-queue.ts";
import { readUser, writeUser } from "./fault.ts";
import { forkMm } from "./fork.ts";
import { pinUserPage } from "./gup.ts";
import { removeMigrationPtes, tryToMigrate } from "./migration-entry.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { MREMAP, mremap } from "./mremap.ts";
import { PTE, PTE_MIGRATION } from "./pte.ts";
import { cachedFolio, mapFilePage, smallVm, touchPage } from "./small-vm.ts";
import { clearSoftDirty, isSoftDirty } from "./soft-dirty.ts";
import { Userfaultfd } from "./userfaultfd.ts";
import type { Vm } from "./vm.ts";

const AT = 0x200;

/** A process with four pages at AT, of which the first two have been written to. */
function fourPages(): { vm: Vm; mm: Mm; vma: Vma; uffd: Userfaultfd } {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, { startVpn: AT, endVpn: AT + 4, pgoff: AT });
  for (const at of [0, 1]) touchPage(vm, vma, AT + at, 7 + at);
  return { vm, mm, vma, uffd: new Userfaultfd(vm, mm) };
}

function bitsAt({ vm, mm }: { vm: Vm; mm: Mm }, vpn: number): number {
  return vm.tables.bits(mm.directory.find(vpn));
}

test("a write to a protected page is told of, and goes on when it is allowed", () => {
  const world = fourPages();
  const { vm, mm, uffd } = world;
  assert.equal(uffd.register(AT, AT + 2, VM.uffdWp), "done");
  assert.equal(uffd.writeProtect(AT, AT + 1), "done");
  assert.equal(bitsAt(world, AT) & (PTE.write | PTE.uffdWp), PTE.uffdWp);
  assert.equal(runToEnd(readUser(vm, mm, AT, 0)), 7, "reads are none of its business");
  assert.throws(() => runToEnd(writeUser(vm, mm, AT, 0, 9)), WouldSleepError);
  assert.deepEqual(runToEnd(uffd.read()), { kind: "wp", vpn: AT, access: "write" });
  assert.equal(runToEnd(writeUser(vm, mm, AT + 1, 0, 9)), "done", "not protected");
  assert.equal(uffd.allowWrites(AT, AT + 1), "done");
  assert.equal(runToEnd(writeUser(vm, mm, AT, 0, 9)), "done");
  assert.throws(() => runToEnd(uffd.read()), WouldSleepError);
});

test("a use of an empty entry is told of until a page is put there", () => {
  const { vm, mm, uffd } = fourPages();
  assert.equal(uffd.register(AT + 2, AT + 4, VM.uffdMissing), "done");
  assert.throws(() => runToEnd(readUser(vm, mm, AT + 2, 0)), WouldSleepError);
  assert.deepEqual(runToEnd(uffd.read()), { kind: "missing", vpn: AT + 2, access: "read" });
  const fill = (page: number): void => vm.mem.frames.writeWord(vm.mem.pfn(page), 0, 55);
  assert.equal(runToEnd(uffd.copy(AT + 2, fill)), "done");
  assert.equal(runToEnd(readUser(vm, mm, AT + 2, 0)), 55);
  assert.equal(mm.rssPages, 3);
  assert.equal(runToEnd(uffd.copy(AT + 2, fill)), "EEXIST");
  assert.equal(runToEnd(uffd.copy(AT, fill)), "ENOENT", "not registered");
});

test("what may be registered, and by whom", () => {
  const { vm, mm, uffd } = fourPages();
  const mapping = vm.cache.createMapping("a file", {});
  const file = mapFilePage(vm, mapping, cachedFolio(vm, mapping, 0, 1));
  assert.equal(uffd.register(AT, AT + 4, 0), "EINVAL");
  assert.equal(uffd.register(AT + 8, AT + 9, VM.uffdWp), "EINVAL", "nothing is mapped");
  const other = new Userfaultfd(vm, file.mm);
  assert.equal(other.register(file.vpn, file.vpn + 1, VM.uffdWp), "EINVAL");
  assert.equal(uffd.register(AT, AT + 2, VM.uffdMissing), "done");
  assert.equal(new Userfaultfd(vm, mm).register(AT, AT + 4, VM.uffdWp), "EBUSY");
  assert.equal(uffd.writeProtect(AT, AT + 1), "ENOENT", "registered for something else");
});

test("who unregisters takes protections back", () => {
  const world = fourPages();
  const { vm, mm, uffd } = world;
  uffd.register(AT, AT + 4, VM.uffdWp | VM.uffdMissing);
  uffd.writeProtect(AT, AT + 4);
  uffd.unregister(AT, AT + 1);
  assert.equal(bitsAt(world, AT) & PTE.uffdWp, 0);
  assert.equal(runToEnd(writeUser(vm, mm, AT, 0, 9)), "done");
  assert.throws(() => runToEnd(writeUser(vm, mm, AT + 1, 0, 9)), WouldSleepError);
  assert.throws(() => runToEnd(writeUser(vm, mm, AT + 2, 0, 9)), WouldSleepError);
});

test("a protection stays with a page that moves, also one that comes while it is moving", () => {
  for (const isMoving of [false, true]) {
    const world = fourPages();
    const { vm, uffd } = world;
    const folio = vm.mem.pfn(vm.tables.pfn(world.mm.directory.find(AT)));
    const src = folio as Parameters<typeof tryToMigrate>[1];
    vm.mem.refcount[src]++;
    uffd.register(AT, AT + 4, VM.uffdWp);
    if (!isMoving) uffd.writeProtect(AT, AT + 1);
    runToEnd(tryToMigrate(vm, src));
    if (isMoving) uffd.writeProtect(AT, AT + 1);
    assert.equal(bitsAt(world, AT) & PTE_MIGRATION, PTE.migrationReadExclusive);
    runToEnd(removeMigrationPtes(vm, src, src));
    const marks = PTE.present | PTE.write | PTE.uffdWp;
    assert.equal(bitsAt(world, AT) & marks, PTE.present | PTE.uffdWp);
  }
});

test("a fork and an mremap leave the registration behind", () => {
  const world = fourPages();
  const { vm, mm, uffd } = world;
  uffd.register(AT, AT + 2, VM.uffdWp);
  uffd.writeProtect(AT, AT + 2);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(bitsAt({ vm, mm: child }, AT) & PTE.uffdWp, 0);
  assert.equal(runToEnd(writeUser(vm, child, AT, 0, 9)), "done");
  const request = { vpn: AT + 1, oldPages: 1, newPages: 1, newVpn: 0x800 };
  runToEnd(mremap(vm, mm, { ...request, flags: MREMAP.mayMove | MREMAP.fixed }));
  assert.equal(runToEnd(writeUser(vm, mm, 0x800, 0, 9)), "done");
  assert.throws(() => runToEnd(writeUser(vm, mm, AT, 0, 9)), WouldSleepError);
});

test("all is soft-dirty while it is new; then what has been written to since it was cleared", () => {
  const world = fourPages();
  const { vm, mm, vma } = world;
  const dirty = (): boolean[] => [0, 1, 2, 3].map((at) => isSoftDirty(vm, vma, AT + at));
  assert.deepEqual(dirty(), [true, true, true, true]);
  clearSoftDirty(vm, mm);
  assert.deepEqual(dirty(), [false, false, false, false]);
  assert.equal(bitsAt(world, AT) & PTE.write, 0);
  runToEnd(readUser(vm, mm, AT, 0));
  runToEnd(writeUser(vm, mm, AT + 1, 0, 9));
  runToEnd(writeUser(vm, mm, AT + 2, 0, 9));
  assert.deepEqual(dirty(), [false, true, true, false]);
});

test("soft-dirty is cleared of moving pages too, and not of pinned ones", () => {
  const world = fourPages();
  const { vm, mm, vma } = world;
  const pinned = runToEnd(pinUserPage(vm, mm, AT));
  assert.ok(typeof pinned === "number");
  const moving = touchPage(vm, vma, AT + 1, 8).folio;
  vm.mem.refcount[moving]++;
  runToEnd(tryToMigrate(vm, moving));
  clearSoftDirty(vm, mm);
  assert.deepEqual([isSoftDirty(vm, vma, AT), isSoftDirty(vm, vma, AT + 1)], [true, false]);
  runToEnd(removeMigrationPtes(vm, moving, moving));
  assert.equal(isSoftDirty(vm, vma, AT + 1), false);
});
