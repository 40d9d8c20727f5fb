import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { checkInvariants } from "../machine/invariants.ts";
import type { Machine } from "../machine/machine.ts";
import { smallMachine } from "../machine/small-machine.ts";
import { teardown } from "../machine/teardown.ts";
import { byteFrames } from "../memory/byte-frames.ts";
import { folioLock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapGetFolio } from "../pagecache/page-cache.ts";
import { smallFile } from "../pagecache/small-file.ts";
import { folioClearDirtyForIo } from "../pagecache/writeback.ts";
import type { Blocking } from "../sched/blocking.ts";
import { Task } from "../sched/task.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { FileDevice, openFileDevice, runTasksOnDevice } from "./file-device.ts";

const PAGES = 4;
let folder = "";

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "godwit-device-"));
});
after(() => rmSync(folder, { recursive: true }));

function newMachine(): Machine {
  return smallMachine({ pageCount: 64, frames: byteFrames(64) });
}

function* writeOut({ mem }: Machine, file: AddressSpace, offset: number): Blocking<void> {
  const folio = yield* filemapGetFolio(mem, file, offset);
  assert.ok(folio !== null);
  yield* folioLock(mem, folio);
  assert.ok(yield* folioClearDirtyForIo(mem, file, folio), "the write made it dirty");
  assert.ok(file.ops.writepage !== undefined);
  yield* file.ops.writepage(mem, file, folio, "all");
  folioPut(mem, folio);
}

test("pages come from the file and go back to it, while the event loop runs", async () => {
  const place = path.join(folder, "disk");
  const before = Buffer.alloc(PAGES * 4096);
  before.writeInt32LE(77, 4096);
  writeFileSync(place, before);
  const machine = newMachine();
  const { vm, mem, clock } = machine;
  const device = await openFileDevice(mem, place);
  const file = smallFile(vm.cache, device, PAGES);
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapFile(mm, { ...mm.freeRange(PAGES), pgoff: 0 }, file);
  function* use(): Blocking<void> {
    assert.equal(yield* readUser(vm, mm, startVpn + 1, 0), 77);
    assert.equal(yield* writeUser(vm, mm, startVpn + 1, 5, -88), "done");
    yield* writeOut(machine, file, 1);
  }
  await runTasksOnDevice([new Task("a process", use())], clock, device);
  while (device.inFlight > 0) await device.nextEnd();
  checkInvariants(machine);
  const found = readFileSync(place);
  assert.equal(found.readInt32LE(4096), 77);
  assert.equal(found.readInt32LE(4096 + 20), -88);
  assert.equal(found.length, PAGES * 4096);
  teardown(machine);
  await device.close();
});

test("beyond the end of the file there are zeros, and a file that is closed gives EIO", async () => {
  const machine = newMachine();
  const { vm, mem, clock } = machine;
  const device = await openFileDevice(mem, path.join(folder, "new"));
  const results: unknown[] = [];
  function* read(from: FileDevice): Blocking<void> {
    const file = smallFile(vm.cache, from, PAGES);
    const mm = vm.createMm("a process");
    const { startVpn } = vm.mapFile(mm, { ...mm.freeRange(PAGES), pgoff: 0 }, file);
    results.push(yield* readUser(vm, mm, startVpn, 3));
  }
  await runTasksOnDevice([new Task("reader", read(device))], clock, device);
  await device.close();
  const closed = new FileDevice(mem, 1 << 20);
  await runTasksOnDevice([new Task("reader", read(closed))], clock, closed);
  assert.deepEqual(results, [0, "SIGBUS"]);
  teardown(machine);
});

test("tokens are refused: there is nothing to keep of them", () => {
  assert.throws(() => new FileDevice(smallMachine().mem, 0), /tokens cannot be kept in a file/);
});
