/**
 * In which order a folio that moves is locked, replaced, filled, shown and let go.
 *
 * A line is a step, then what is so of `src`, and of `dst` once there is one: locked, on the LRU,
 * has a mapping word, is named by the slot of its file or of swap, uptodate, dirty, has the bytes,
 * is mapped by a page table entry, has a private word, its anon_vma is held by the mover.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioMapped } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { MigrateFolio, MigrateOutcome } from "../../pagecache/address-space.ts";
import { folioAttachPrivate } from "../../pagecache/buffers/folio-buffers.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { anonymousPage, mapFilePage } from "../../vm/small-vm.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import { addToSwap } from "../../vm/swap/swap-cache.ts";
import type { Vm } from "../../vm/vm.ts";
import { filemapMigrateFolio, migrateFolio } from "../callbacks.ts";
import { lines, WatchedMove } from "./watched-move.ts";

/** A letter for each thing that is so, in this order; "-" if nothing is. */
function state(vm: Vm, folio: Folio): string {
  const { mem } = vm;
  const things: readonly [string, boolean][] = [
    ["L", testFlag(mem, folio, PG.locked)],
    ["l", testFlag(mem, folio, PG.lru)],
    ["m", mem.mapping[folio] !== 0],
    ["s", isInSlot(vm, folio)],
    ["u", testFlag(mem, folio, PG.uptodate)],
    ["d", testFlag(mem, folio, PG.dirty)],
    ["b", mem.frames.readWord(folio, 0) === 1],
    ["e", folioMapped(mem, folio)],
    ["p", mem.private[folio] !== 0],
    ["a", vm.anonVmas.some((anonVma) => (anonVma?.refcount ?? 0) > 0)],
  ];
  const letters = things.map(([letter, isSo]) => (isSo ? letter : "")).join("");
  return letters === "" ? "-" : letters;
}

/** Any file's first slot will do: there is one folio that moves. */
function isInSlot({ cache, swap }: Vm, folio: Folio): boolean {
  const mapping = cache.folioMapping(folio);
  if (mapping === null) return false;
  const { folios } = mapping;
  if (mapping !== swap?.mapping) return folios.load(0) === folio;
  return folios.load(cache.mem.private[folio]) === folio;
}

type Make = (watched: WatchedMove, callback: MigrateFolio) => Folio;

const anonymous: Make = ({ vm }) => anonymousPage(vm, 1).folio;

/** Of the swap cache, still mapped. */
const swapCached: Make = (watched, callback) => {
  const { vm } = watched;
  smallSwap(vm, watched.owner(callback));
  const { folio } = anonymousPage(vm, 1);
  assert.ok(vm.swap !== null && folioTrylock(vm.mem, folio));
  assert.ok(addToSwap(vm.swap, folio));
  folioUnlock(vm.mem, folio);
  return folio;
};

/** Of a file, mapped and dirty, with private state. */
const mapped: Make = (watched, callback) => {
  const { vm } = watched;
  const folio = watched.file(callback);
  const mapping = vm.cache.folioMapping(folio);
  assert.ok(mapping !== null);
  mapFilePage(vm, mapping, folio);
  folioAttachPrivate(vm.mem, folio, 99);
  setFlag(vm.mem, folio, PG.dirty);
  return folio;
};

const unmapped: Make = (watched, callback) => watched.file(callback);

/** Who moves what, and what is seen of `src` and `dst` then. */
type Row = readonly [string, Make, MigrateFolio, string];

const MOVED: readonly Row[] = [
  [
    // Without a place in a cache it keeps its dirt, and its word until it is freed.
    "an anonymous page that was written",
    anonymous,
    migrateFolio,
    `before   lmube
     isolated mube
     asked    mube
     copied   Lmudba    Lma
     remapped Lmudba    Llmudbea
     over     -         lmudbe`,
  ],
  [
    "a page of the swap cache",
    swapCached,
    migrateFolio,
    `before   lmsudbep
     isolated msudbep
     asked    msudbep
     owner    Lmsudbpa  La
     copied   Lmubpa    Lmsdpa
     remapped Lmuba     Llmsudbepa
     over     -         lmsudbep`,
  ],
  [
    // Nothing reads the old folio's file from it any more when the first entry is back.
    "a dirty page of a file with private state",
    mapped,
    filemapMigrateFolio,
    `before   lmsudbep
     isolated msudbep
     asked    msudbep
     owner    Lmsudbp   L
     copied   Lmub      Lmsdp
     remapped Lub       Llmsudbep
     over     -         lmsudbep`,
  ],
  [
    // It is on its way to the LRU, in a batch.
    "a page of a file that nobody maps",
    unmapped,
    migrateFolio,
    `before   lmsub
     isolated msub
     asked    msub
     owner    Lmsub     L
     copied   Lmub      Lms
     over     -         msub`,
  ],
];

function* refuses(): Blocking<MigrateOutcome> {
  yield "owner-refuses";
  return "EBUSY";
}

const REFUSED: readonly Row[] = [
  [
    "a page of the swap cache",
    swapCached,
    refuses,
    `before   lmsudbep
     isolated msudbep
     asked    msudbep
     owner    Lmsudbpa  La
     remapped Lmsudbepa La
     over     msudbep   -`,
  ],
  [
    "a dirty page of a file with private state",
    mapped,
    refuses,
    `before   lmsudbep
     isolated msudbep
     asked    msudbep
     owner    Lmsudbp   L
     remapped Lmsudbep  L
     over     msudbep   -`,
  ],
  [
    "a page of a file that nobody maps",
    unmapped,
    refuses,
    `before   lmsub
     isolated msub
     asked    msub
     owner    Lmsub     L
     over     msub      -`,
  ],
];

for (const [name, make, callback, steps] of MOVED) {
  test(`${name} moves`, () => {
    const watched = new WatchedMove(state);
    assert.deepEqual(watched.move(make(watched, callback)), lines(steps));
  });
}

for (const [name, make, callback, steps] of REFUSED) {
  test(`${name} is refused, and is as it was`, () => {
    const watched = new WatchedMove(state);
    assert.deepEqual(watched.move(make(watched, callback)), lines(steps));
  });
}

test("the first half leaves the new folio's private word clean, whatever it was given with", () => {
  const watched = new WatchedMove(({ mem }, folio) => String(mem.private[folio]));
  const { call, vm } = watched;
  const src = watched.file(refuses);
  const { give } = call;
  call.give = function* (folio): Blocking<Folio | null> {
    const dst = yield* give(folio);
    // As the free scanner of compaction leaves it: the order of its block is there.
    if (dst !== null) vm.mem.private[dst] = 77;
    return dst;
  };
  const put: number[] = [];
  const putNew = call.target.putNew.bind(call.target);
  call.target.putNew = (dst) => {
    put.push(vm.mem.private[dst]);
    putNew(dst);
  };
  assert.ok(watched.move(src).includes("owner 0 0"));
  assert.ok(folioTrylock(vm.mem, src));
  call.migrate("async");
  assert.deepEqual(put, Array(11).fill(0), "refused by its owner, and ten times by its lock");
});
