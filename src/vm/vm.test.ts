import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runToEnd } from "../sched/run.ts";
import { TASK_SIZE_PAGES } from "./page-tables.ts";
import { folioGetAnonVma, putAnonVma, rmapVmas } from "./rmap.ts";
import { anonymousPage, cachedFolio, mapFilePage, sharePage, smallVm } from "./small-vm.ts";
import { exitMm, unmapVma } from "./zap.ts";

test("VMAs lie in order and apart, and each page finds the one that covers it", () => {
  const ranges = fc.uniqueArray(fc.nat({ max: 40 }), { maxLength: 12 });
  fc.assert(
    fc.property(ranges, (starts) => {
      const vm = smallVm();
      const mm = vm.createMm("a process");
      for (const at of starts) {
        vm.mapAnonymous(mm, { startVpn: 10 * at, endVpn: 10 * at + 7, pgoff: 10 * at });
      }
      const sorted = [...starts].sort((a, b) => a - b).map((at) => 10 * at);
      assert.deepEqual(
        mm.vmas.map(({ startVpn }) => startVpn),
        sorted,
      );
      for (let vpn = 0; vpn < 420; vpn++) {
        const covered = starts.includes(Math.floor(vpn / 10)) && vpn % 10 < 7;
        assert.equal(mm.vmaAt(vpn)?.startVpn ?? null, covered ? vpn - (vpn % 10) : null);
      }
    }),
  );
});

test("VMAs do not overlap, are not empty and end where a process's memory ends", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  vm.mapAnonymous(mm, { startVpn: 10, endVpn: 20, pgoff: 10 });
  const map = (startVpn: number, endVpn: number) => (): unknown =>
    vm.mapAnonymous(mm, { startVpn, endVpn, pgoff: startVpn });
  assert.throws(map(19, 25), /VMAs overlap at 19/);
  assert.throws(map(5, 5), /a VMA of no pages at 5/);
  assert.throws(map(8, TASK_SIZE_PAGES + 1), /a VMA beyond the address space/);
});

test("the next free range begins in a page table of its own", () => {
  const mm = smallVm().createMm("a process");
  assert.deepEqual(mm.freeRange(3), { startVpn: 512, endVpn: 515, pgoff: 512 });
  const vm = smallVm();
  const { mm: other } = anonymousPage(vm, 1);
  const { startVpn } = other.freeRange(1);
  assert.equal(startVpn % 512, 0);
  assert.ok(startVpn >>> 9 > other.vmas[0].endVpn >>> 9);
});

test("an anon_vma lives as long as a VMA or a migration has it", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const shared = sharePage(vm, page);
  const { anonVma } = page.vma;
  assert.ok(anonVma !== null);
  assert.deepEqual([...rmapVmas(vm, page.folio)], [page.vma, shared.vma]);
  assert.equal(folioGetAnonVma(vm, page.folio), anonVma);
  runToEnd(exitMm(vm, page.mm));
  assert.deepEqual([...rmapVmas(vm, page.folio)], [shared.vma]);
  runToEnd(exitMm(vm, shared.mm));
  assert.equal(vm.anonVmas[anonVma.id], anonVma, "the migration's reference");
  putAnonVma(vm, anonVma);
  assert.equal(vm.anonVmas[anonVma.id], undefined);
  assert.throws(() => putAnonVma(vm, anonVma), /put of an anon_vma that nobody holds/);
});

test("an anonymous folio that nobody maps gives no anon_vma: it may be gone", () => {
  const vm = smallVm();
  const { folio, mm } = anonymousPage(vm, 1);
  vm.mem.refcount[folio]++;
  runToEnd(exitMm(vm, mm));
  assert.equal(folioGetAnonVma(vm, folio), null);
  assert.throws(() => rmapVmas(vm, folio), /from an anon_vma that is gone/);
});

test("a file's folio leads to every VMA that maps the file", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 3, 7);
  assert.deepEqual([...rmapVmas(vm, folio)], []);
  const [one, other] = [mapFilePage(vm, mapping, folio), mapFilePage(vm, mapping, folio)];
  assert.deepEqual([...rmapVmas(vm, folio)], [one.vma, other.vma]);
  runToEnd(unmapVma(vm, one.vma));
  assert.deepEqual([...rmapVmas(vm, folio)], [other.vma]);
});

test("a walk of the reverse map that is under way misses nobody when a VMA goes", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const [second, third] = [sharePage(vm, page), sharePage(vm, page)];
  const seen: unknown[] = [];
  for (const vma of rmapVmas(vm, page.folio)) {
    seen.push(vma);
    if (vma === page.vma) runToEnd(exitMm(vm, page.mm));
  }
  assert.deepEqual(seen, [page.vma, second.vma, third.vma]);
  assert.throws(() => vm.dropVma(page.vma), /a VMA that its process does not have/);
});
