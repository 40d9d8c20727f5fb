/** What a call does with many folios: in which order, how often, and where it ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { Call, MODES } from "./small-call.ts";

test("eleven busy folios get ten tries each, pass by pass", () => {
  for (const mode of MODES) {
    const call = new Call(128);
    const folios = Array.from({ length: 11 }, () => call.isolate());
    for (const folio of folios) folioGet(call.vm.mem, folio);
    assert.equal(call.tell(mode, "compaction", [0, 11, 0, 0, 0]).notMoved, 11);
    const passes = Array.from({ length: 10 }, () => folios).flat();
    assert.deepEqual(call.asked, passes);
    assert.equal(call.target.returned, 110, "each place was given back");
    assert.deepEqual(call.left, folios);
  }
});

test("a folio that is free at the last of ten tries moves, at an eleventh it would not", () => {
  for (const [busyFor, numbers] of [
    [9, [1, 0, 0, 0, 0]],
    [10, [0, 1, 0, 0, 0]],
  ] as const) {
    const call = new Call(64);
    const { mem } = call.vm;
    const src = call.isolate();
    folioGet(mem, src);
    const { give } = call;
    call.give = (folio) => {
      if (call.asks(src) === busyFor + 1) folioPut(mem, src);
      return give(folio);
    };
    call.tell("async", "compaction", numbers);
    if (busyFor === 10) folioPut(mem, src);
  }
});

/** Gives nothing to move to for this folio, and what there is for others. */
function giveNoneFor(call: Call, starved: Folio): void {
  const { give } = call;
  call.give = function* (src): Blocking<Folio | null> {
    return src === starved ? null : yield* give(src);
  };
}

for (const release of ["6.1", "6.3"] as const) {
  test(`what was to be tried again counts when memory runs out, on ${release}`, () => {
    const call = new Call(4096, release);
    const { mem } = call.vm;
    const [huge, large, single] = [call.isolate(9), call.isolate(2), call.isolate()];
    const [starved, behind] = [call.isolate(), call.isolate()];
    for (const folio of [huge, large, single]) assert.ok(folioTrylock(mem, folio));
    giveNoneFor(call, starved);
    const result = call.tell("async", "compaction", [0, 512 + 4 + 1 + 1, 0, 1, 0]);
    assert.equal(result.error, "ENOMEM");
    assert.deepEqual(call.left, [huge, large, single, starved, behind]);
    assert.equal(call.asks(behind), 0);
    for (const folio of [huge, large, single]) folioUnlock(mem, folio);
  });

  test(`what was given up before comes back first, those not reached last, on ${release}`, () => {
    const call = new Call(64, release);
    const { mem } = call.vm;
    const [busy, written, moves, starved, behind] = [0, 1, 2, 3, 4].map(() => call.isolate());
    assert.ok(folioTrylock(mem, busy));
    mem.flags[written] |= PG.writeback;
    giveNoneFor(call, starved);
    assert.equal(call.tell("async", "compaction", [1, 3, 0, 0, 0]).error, "ENOMEM");
    assert.deepEqual(call.left, [written, busy, starved, behind]);
    assert.equal(mem.refcount[moves], 0);
    mem.flags[written] &= ~PG.writeback;
    folioUnlock(mem, busy);
  });
}

test("a batch ends before the folio that would make it larger than 512 pages", () => {
  for (const [singles, first] of [
    [508, 509],
    [509, 509],
    [510, 510],
  ]) {
    const call = new Call(2048);
    const { mem } = call.vm;
    const busy = call.isolate();
    for (let at = 1; at < singles; at++) call.isolate();
    const large = call.isolate(2);
    const last = call.isolate();
    folioGet(mem, busy);
    call.tell("async", "compaction", [singles - 1 + 4 + 1, 1, 0, 0, 0]);
    const tries = call.asked;
    // All tries of the busy folio are over before the next batch begins.
    assert.equal(tries.lastIndexOf(busy), first + 9 - 1, `${singles} single pages`);
    assert.ok(tries.indexOf(last) > tries.indexOf(large));
    folioPut(mem, busy);
  }
});

test("a later batch without memory leaves what was refused, what was busy, and the rest", () => {
  const call = new Call(4096);
  const { mem } = call.vm;
  const folios = Array.from({ length: 2 * 512 + 2 }, () => call.isolate());
  const [busy, written] = folios;
  const starved = folios[512];
  assert.ok(folioTrylock(mem, busy));
  mem.flags[written] |= PG.writeback;
  giveNoneFor(call, starved);
  assert.equal(call.tell("async", "compaction", [510, 3, 0, 0, 0]).error, "ENOMEM");
  assert.deepEqual(call.left, [written, busy, ...folios.slice(512)]);
  mem.flags[written] &= ~PG.writeback;
  folioUnlock(mem, busy);
});

test("every reason is told by its name", () => {
  for (const reason of [
    "compaction",
    "memory_failure",
    "memory_hotplug",
    "syscall_or_cpuset",
    "mempolicy_mbind",
    "numa_misplaced",
    "contig_range",
    "longterm_pin",
  ] as const) {
    for (const mode of MODES) {
      const call = new Call(64);
      call.isolate();
      call.tell(mode, reason, [1, 0, 0, 0, 0]);
    }
  }
});
