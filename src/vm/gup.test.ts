import assert from "node:assert/strict";
import { test } from "node:test";
import { folioUnpin } from "../memory/folio-ref.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser } from "./fault.ts";
import { forkMm } from "./fork.ts";
import { pinUserPage } from "./gup.ts";
import { anonymousPage, smallVm } from "./small-vm.ts";

test("a page that two processes share is copied before a device may write to it", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  const pinned = runToEnd(pinUserPage(vm, child, vpn));
  assert.ok(typeof pinned === "number" && pinned !== folio, "the child's page is its own");
  vm.mem.frames.writeWord(pinned, 0, 8);
  assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 8);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7, "the device wrote into the parent's page");
  folioUnpin(vm.mem, pinned);
});
