import assert from "node:assert/strict";
import { test } from "node:test";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { WouldSleepError } from "../../sched/wait-queue.ts";
import { readUser, writeUser } from "../fault.ts";
import { anonymousPage, cachedFolio, mapFilePage, smallVm } from "../small-vm.ts";
import { completeDirectRead, completeDirectWrite, startDirectIo } from "./direct-io.ts";
import { Pipe } from "./pipe.ts";

test("a direct read fills the process's own page at completion, and marks it dirty", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  const io = runToEnd(startDirectIo(vm, mm, vpn, 1, "reads"));
  assert.ok(typeof io !== "string");
  assert.equal(vm.mem.refcount[folio], 2);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7, "nothing before completion");
  runToEnd(completeDirectRead(vm, io, [1234]));
  assert.equal(vm.mem.frames.holds(folio, 1234), true);
  assert.equal(vm.mem.refcount[folio], 1);
  assert.ok((vm.mem.flags[folio] & PG.dirty) !== 0);
  assert.throws(() => runToEnd(completeDirectRead(vm, io, [])), /completes twice/);
});

test("a direct read into a file's mapping dirties the file", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 1);
  const { mm, vpn } = mapFilePage(vm, mapping, folio);
  const io = runToEnd(startDirectIo(vm, mm, vpn, 1, "reads"));
  assert.ok(typeof io !== "string");
  runToEnd(completeDirectRead(vm, io, [9]));
  assert.ok((vm.mem.flags[folio] & PG.dirty) !== 0);
});

test("a direct write takes what the page holds at completion", () => {
  const vm = smallVm();
  const { mm, vpn } = anonymousPage(vm, 7);
  const io = runToEnd(startDirectIo(vm, mm, vpn, 1, "writes"));
  assert.ok(typeof io !== "string");
  runToEnd(writeUser(vm, mm, vpn, 0, 8));
  assert.deepEqual(
    completeDirectWrite(vm, io).map((words) => words[0]),
    [8],
  );
});

test("a request for memory that is not all there holds nothing", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  assert.equal(runToEnd(startDirectIo(vm, mm, vpn, 2, "reads")), "EFAULT");
  assert.equal(vm.mem.refcount[folio], 1);
});

test("a pipe holds pages, not copies: readers find what is in them when they read", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  const mapping = vm.cache.createMapping("a file", {});
  const cached = cachedFolio(vm, mapping, 0, 5, 1);
  const held = vm.mem.refcount[cached];
  const pipe = new Pipe(vm);
  assert.equal(runToEnd(pipe.vmsplice(mm, vpn, 2)), 1, "the second page is not there");
  assert.equal(runToEnd(pipe.vmsplice(mm, vpn + 1, 1)), "EFAULT");
  assert.equal(runToEnd(pipe.spliceFile(mapping, 0, 4)), 2, "up to the hole");
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.refcount[cached]], [2, held + 2]);
  runToEnd(writeUser(vm, mm, vpn, 0, 8));
  assert.equal(runToEnd(pipe.read())[0], 8);
  assert.equal(runToEnd(pipe.read())[0], 5);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.refcount[cached]], [1, held + 1]);
  pipe.close();
  assert.deepEqual([pipe.length, vm.mem.refcount[cached]], [0, held]);
});

test("who finds a pipe empty, or full with 16 pages, sleeps", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  for (let at = 0; at < 17; at++) cachedFolio(vm, mapping, at, at);
  const pipe = new Pipe(vm);
  assert.throws(() => runToEnd(pipe.read()), WouldSleepError);
  assert.throws(() => runToEnd(pipe.spliceFile(mapping, 0, 17)), WouldSleepError);
  assert.equal(pipe.length, 16);
});
