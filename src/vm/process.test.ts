/** Processes: what they may do to one another, and what they lose when they become a user. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SUID_DUMP } from "./mm.ts";
import {
  becomeUser,
  credentialsOf,
  type Process,
  ProcessTable,
  ptraceMayAccess,
} from "./process.ts";
import { smallVm } from "./small-vm.ts";

function processes(...uids: readonly number[]): Process[] {
  const vm = smallVm();
  const table = new ProcessTable();
  return uids.map((uid, at) => table.create(`${at}`, vm.createMm(`${at}`), credentialsOf(uid)));
}

test("the superuser may look at everybody, and everybody at itself", () => {
  const [root, user] = processes(0, 1000);
  assert.equal(ptraceMayAccess(root, user), null);
  assert.equal(ptraceMayAccess(user, user), null);
  assert.equal(ptraceMayAccess(user, root), "EPERM");
});

test("a user may look at its own processes, if all of their ids are the user's", () => {
  const [user, same, other] = processes(1000, 1000, 1001);
  assert.equal(ptraceMayAccess(user, same), null);
  assert.equal(ptraceMayAccess(user, other), "EPERM");
  for (const id of ["uid", "euid", "suid", "gid", "egid", "sgid"]) {
    const [, changed] = processes(1000, 1000);
    changed.credentials = { ...changed.credentials, [id]: 7 };
    assert.equal(ptraceMayAccess(user, changed), "EPERM", id);
  }
});

test("who does not let itself be dumped is the superuser's to look at", () => {
  const [root, user, target] = processes(0, 1000, 0);
  becomeUser(target, 1000);
  assert.equal(target.mm?.dumpable, SUID_DUMP.disable);
  assert.equal(target.credentials.capabilities.size, 0);
  assert.equal(ptraceMayAccess(user, target), "EPERM");
  assert.equal(ptraceMayAccess(root, target), null);
  if (target.mm !== null) target.mm.dumpable = SUID_DUMP.user;
  assert.equal(ptraceMayAccess(user, target), null);
});

test("a process with a capability that the caller lacks is out of reach", () => {
  const [user, target] = processes(1000, 1000);
  target.credentials = { ...target.credentials, capabilities: new Set(["CAP_SYS_NICE"]) };
  assert.equal(ptraceMayAccess(user, target), "EPERM");
  user.credentials = { ...user.credentials, capabilities: new Set(["CAP_SYS_NICE"]) };
  assert.equal(ptraceMayAccess(user, target), null);
});

test("a process is found by its pid until it is reaped, and not before its memory is gone", () => {
  const table = new ProcessTable();
  const process = table.create("one", smallVm().createMm("one"), credentialsOf(0));
  assert.equal(table.find(process.pid), process);
  assert.equal(table.find(99), null);
  assert.throws(() => table.reap(process), /reaped with its memory/);
  process.mm = null;
  table.reap(process);
  assert.equal(table.find(process.pid), null);
});
