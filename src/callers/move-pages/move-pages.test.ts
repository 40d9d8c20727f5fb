/** move_pages(2): what each entry is told, what moves, and what is left when the call ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser } from "../../vm/fault.ts";
import type { Mm, Vma } from "../../vm/mm.ts";
import { credentialsOf, type Process, ProcessTable } from "../../vm/process.ts";
import { sharePage, smallVm, touchPage, type UserPage } from "../../vm/small-vm.ts";
import type { Vm } from "../../vm/vm.ts";
import { type MovePagesCall, type MovePagesResult, MPOL_MF, movePages } from "./move-pages.ts";
import { userInput, userOutput } from "./user-array.ts";

const UNTOUCHED = -9999;

interface World {
  readonly vm: Vm;
  readonly processes: ProcessTable;
  readonly self: Process;
  readonly mm: Mm;
  readonly vma: Vma;
  readonly pages: UserPage[];
}

/** Three nodes, the last without memory, and a process with pages 0 to 3 of 6 on node 0. */
function world(): World {
  const vm = smallVm({
    pageCount: 128,
    zones: [
      { startPfn: 0, spanned: 64 },
      { startPfn: 64, spanned: 64, node: 1 },
    ],
    distances: [
      [10, 20, 20],
      [20, 10, 20],
      [20, 20, 10],
    ],
  });
  const mm = vm.createMm("a process");
  const processes = new ProcessTable();
  const self = processes.create("a process", mm, credentialsOf(0));
  const vma = vm.mapAnonymous(mm, mm.freeRange(6));
  const pages = [0, 1, 2, 3].map((at) => touchPage(vm, vma, vma.startVpn + at, at + 100));
  return { vm, processes, self, mm, vma, pages };
}

function call(
  { vm, processes, self, vma }: World,
  pages: readonly number[],
  nodes: readonly number[] | null,
  changes: Partial<MovePagesCall> = {},
): MovePagesResult & { status: number[] } {
  const status = new Int32Array(pages.length).fill(UNTOUCHED);
  const request: MovePagesCall = {
    caller: self,
    pid: 0,
    nrPages: pages.length,
    pages: userInput(pages.map((page) => vma.startVpn + page)),
    nodes: nodes === null ? null : userInput(nodes),
    flags: MPOL_MF.move,
    status: userOutput(status),
    ...changes,
  };
  return { ...runToEnd(movePages(vm, processes, request)), status: [...status] };
}

function nodesOf({ vm, pages }: World): number[] {
  return pages.map(({ entry }) => vm.mem.nodeOf(vm.mem.pfn(vm.tables.pfn(entry))).id);
}

test("pages go where they are sent, with their contents", () => {
  const scene = world();
  const { value, errno, status } = call(scene, [0, 1, 2, 3], [1, 1, 0, 1]);
  assert.deepEqual([value, errno, status], [0, null, [1, 1, 0, 1]]);
  assert.deepEqual(nodesOf(scene), [1, 1, 0, 1]);
  for (const [at, { mm, vpn }] of scene.pages.entries()) {
    assert.equal(runToEnd(readUser(scene.vm, mm, vpn, 0)), at + 100);
  }
});

test("a call without nodes asks where pages are", () => {
  const scene = world();
  assert.deepEqual(call(scene, [0, 4, 1000], null).status, [0, -14, -14]);
});

test("what cannot be queued is told at once, and what was queued before it moves", () => {
  const scene = world();
  const { value, status } = call(scene, [0, 5, 1], [1, 1, 1]);
  assert.deepEqual([value, status], [0, [1, -14, 1]]);
});

test("a bad node ends the call, with the batch before it moved and the rest untouched", () => {
  for (const bad of [-1, 2, 7, 1024]) {
    const scene = world();
    const { value, errno, status } = call(scene, [0, 1, 2], [1, bad, 1]);
    assert.deepEqual([value, errno, status], [-1, "ENODEV", [1, UNTOUCHED, UNTOUCHED]]);
    assert.deepEqual(nodesOf(scene), [1, 0, 0, 0]);
  }
});

test("a page named twice is busy the second time", () => {
  assert.deepEqual(call(world(), [0, 0], [1, 1]).status, [1, -16]);
});

test("a page that others map moves only if all may be moved", () => {
  const scene = world();
  sharePage(scene.vm, scene.pages[0]);
  assert.deepEqual(call(scene, [0], [1]).status, [-13]);
  assert.deepEqual(call(scene, [0], [1], { flags: MPOL_MF.moveAll }).status, [1]);
});

test("a page in somebody's hands stays: no status, and the count of those left", () => {
  const scene = world();
  const { vm, pages } = scene;
  folioGet(vm.mem, pages[1].folio);
  const first = call(scene, [0, 1, 2], [1, 1, 1]);
  assert.deepEqual([first.value, first.status], [1, [UNTOUCHED, UNTOUCHED, UNTOUCHED]]);
  assert.deepEqual(nodesOf(scene), [1, 0, 1, 0]);
  assert.equal(vm.mem.events.vmstat.snapshot().pgmigrate_fail, 1);
  // The batch ends at the change of node: page 3 is left untried and counts.
  const second = call(scene, [1, 3], [1, 0]);
  assert.deepEqual([second.value, second.status], [2, [UNTOUCHED, UNTOUCHED]]);
  folioPut(vm.mem, pages[1].folio);
});

test("flags come before rights, rights before the process, and the process before the arrays", () => {
  const scene = world();
  const { processes } = scene;
  const caller = processes.create("somebody", scene.vm.createMm("somebody"), credentialsOf(1000));
  const noArrays = { pages: { values: [], mapped: 0 }, nrPages: 1 };
  const ask = (changes: Partial<MovePagesCall>): MovePagesResult["errno"] =>
    call(scene, [0], [1], { caller, ...noArrays, ...changes }).errno;
  assert.equal(ask({ flags: 0x1 | MPOL_MF.moveAll, pid: 99 }), "EINVAL");
  assert.equal(ask({ flags: MPOL_MF.moveAll, pid: 99 }), "EPERM");
  assert.equal(ask({ pid: 99 }), "ESRCH");
  assert.equal(ask({ pid: -1 }), "ESRCH");
  assert.equal(ask({ pid: scene.self.pid }), "EPERM");
  assert.equal(ask({}), "EFAULT");
});

test("a process without memory is no argument, once it may be looked at", () => {
  const scene = world();
  const kernelThread = scene.processes.create("a kernel thread", null, credentialsOf(0));
  assert.equal(call(scene, [0], [1], { pid: kernelThread.pid }).errno, "EINVAL");
  assert.equal(call(scene, [0], null, { pid: kernelThread.pid }).errno, "EINVAL");
});

test("pages of another process move where its cpuset lets them be, not the caller's", () => {
  const scene = world();
  const { self, processes } = scene;
  const other = processes.create("other", scene.vm.createMm("other"), credentialsOf(0));
  other.cpusetMems = new Set([0]);
  const asked = { caller: other, pid: self.pid };
  assert.deepEqual(call(scene, [0], [1], asked).status, [1]);
  self.cpusetMems = new Set([0]);
  const { errno, status } = call(scene, [1, 2, 3], [0, 1, 0], asked);
  assert.deepEqual([errno, status], ["EACCES", [0, UNTOUCHED, UNTOUCHED]]);
});

test("no pages are no work", () => {
  const none = {
    pages: { values: [], mapped: 0 },
    status: { values: new Int32Array(), mapped: 0 },
  };
  assert.equal(call(world(), [], null, none).value, 0);
  assert.equal(call(world(), [], [], none).value, 0);
});

test("an array that ends in unmapped memory ends the call, and what was queued moves", () => {
  const short = world();
  const { startVpn } = short.vma;
  const pages = { values: [startVpn, startVpn + 1], mapped: 2 };
  const { errno, status } = call(short, [0, 1, 2, 3], [1, 1, 1, 1], { pages });
  assert.deepEqual([errno, status], ["EFAULT", [1, 1, UNTOUCHED, UNTOUCHED]]);
  assert.deepEqual(nodesOf(short), [1, 1, 0, 0]);
  const endless = world();
  const nodes = { values: [1], mapped: 1 };
  assert.equal(call(endless, [0], [1], { nodes, nrPages: 2 ** 61 }).errno, "EFAULT");
  assert.deepEqual(nodesOf(endless), [1, 0, 0, 0]);
});

test("statuses that cannot be written end the call after the move that they tell of", () => {
  const scene = world();
  const status = { values: new Int32Array(4).fill(UNTOUCHED), mapped: 2 };
  const whole = call(scene, [0, 1, 2, 3], [1, 1, 1, 1], { status });
  assert.equal(whole.errno, "EFAULT");
  assert.deepEqual([...status.values], [1, 1, UNTOUCHED, UNTOUCHED]);
  assert.deepEqual(nodesOf(scene), [1, 1, 1, 1]);
  const back = call(scene, [0, 1, 2, 3], [0, 0, 0, 0], { status: { ...status, mapped: 0 } });
  assert.equal(back.errno, "EFAULT");
  // An entry that is told at once: its status faults, and the batch before it moves all the same.
  const told = call(scene, [0, 4], [1, 1], { status: { values: new Int32Array(2), mapped: 1 } });
  assert.equal(told.errno, "EFAULT");
  assert.deepEqual(nodesOf(scene), [1, 0, 0, 0]);
});

test("who asks reads and is told by chunks of 16", () => {
  const scene = world();
  const { startVpn } = scene.vma;
  const pages = { values: Array.from({ length: 40 }, () => startVpn), mapped: 33 };
  const status = { values: new Int32Array(40).fill(UNTOUCHED), mapped: 40 };
  const inputEnds = call(scene, [], null, { nrPages: 40, pages, status });
  assert.equal(inputEnds.errno, "EFAULT");
  assert.equal(status.values.indexOf(UNTOUCHED), 32);
  status.values.fill(UNTOUCHED);
  const outputEnds = call(scene, [], null, {
    nrPages: 33,
    pages,
    status: { ...status, mapped: 20 },
  });
  assert.equal(outputEnds.errno, "EFAULT");
  assert.equal(status.values.indexOf(UNTOUCHED), 20);
});

test("no list, no isolated page and no disabled batch is left behind", () => {
  const scene = world();
  const { mem } = scene.vm;
  const lists = mem.listsInUse;
  call(scene, [0, 1, 5, 0], [1, 1, 1, -1]);
  assert.equal(mem.listsInUse, lists);
  assert.equal(mem.lruDisableCount, 0);
  for (const node of mem.nodes) assert.deepEqual([...node.isolatedPages], [0, 0]);
});
