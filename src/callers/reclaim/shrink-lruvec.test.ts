import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../../sched/run.ts";
import { PTE } from "../../vm/pte.ts";
import { anonymousPage, cachedFolio, touchPage } from "../../vm/small-vm.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import type { Reclaimer } from "./reclaimer.ts";
import type { ReclaimBy, ScanControl } from "./scan-control.ts";
import { prepareScanCount } from "./scan-count.ts";
import { shrinkLruvec } from "./shrink-lruvec.ts";
import { scanFor, smallReclaim } from "./small-reclaim.ts";

/** Lists of old anonymous pages and of cached ones. */
function scene(anon: number, file: number): Reclaimer {
  const reclaimer = smallReclaim({ pageCount: 1024 });
  const { vm } = reclaimer;
  smallSwap(vm, undefined, { slots: 1024 });
  const { mm } = anonymousPage(vm, 1);
  const vma = vm.mapAnonymous(mm, mm.freeRange(anon));
  for (let at = 0; at < anon; at++) {
    const { entry, folio } = touchPage(vm, vma, vma.startVpn + at, at);
    vm.tables.set(entry, folio, vm.tables.bits(entry) & ~PTE.young);
  }
  const cached = vm.cache.createMapping("a file", {});
  for (let at = 0; at < file; at++) cachedFolio(vm, cached, at, at);
  return reclaimer;
}

function shrinkOnce(reclaimer: Reclaimer, by: ReclaimBy, priority: number): ScanControl {
  const [node] = reclaimer.nodes;
  const sc = scanFor(reclaimer, { by });
  sc.priority = priority;
  prepareScanCount(sc, node);
  runToEnd(shrinkLruvec(sc, node));
  return sc;
}

test("once enough is freed, the kind with less left is done and the other goes on in proportion", () => {
  const reclaimer = scene(320, 320);
  const sc = shrinkOnce(reclaimer, "kswapd", 0);
  const { pgscan_anon, pgscan_file } = reclaimer.vm.mem.events.vmstat.snapshot();
  assert.ok(sc.reclaimed >= 32, `${sc.reclaimed} freed`);
  assert.ok(pgscan_anon <= 64 && pgscan_file <= 64, `${pgscan_anon} and ${pgscan_file}`);
  assert.ok(Math.abs(pgscan_anon - pgscan_file) <= 32, "as both were to lose the same");
});

test("a list that is at its end does not make the other go on for its sake", () => {
  const reclaimer = scene(1, 200);
  shrinkOnce(reclaimer, "kswapd", 0);
  assert.equal(reclaimer.vm.mem.events.vmstat.snapshot().pgscan_file, 32);
});
