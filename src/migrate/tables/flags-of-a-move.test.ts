/**
 * What becomes of each flag in a whole move: of a file's page, of an anonymous one, and of one in
 * the swap cache.
 *
 * The flags alone are `folioMigrateFlags`'s (`../folio-state.test.ts`); here are also the swap of
 * the mapping, the page tables and the LRU. Asked for by memory failure, which keeps the old page,
 * so that it can be looked at. Linux: `folio_migrate_flags()`, and the table of who sets what.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { folioAttachPrivate } from "../../pagecache/buffers/folio-buffers.ts";
import { VM } from "../../vm/mm.ts";
import { anonymousPage } from "../../vm/small-vm.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import { addToSwap } from "../../vm/swap/swap-cache.ts";
import { migrateFolio } from "../callbacks.ts";
import { isolateForMigration } from "../small-migration.ts";
import { Call, type Numbers } from "./small-call.ts";

/** Who has it afterwards: both, the new folio, the old one, neither; "-": not of that kind. */
type Fate = "both" | "dst" | "src" | "none" | "-";

type Kind = "file" | "anonymous" | "swap cache";

const KINDS: readonly Kind[] = ["file", "anonymous", "swap cache"];

/** A flag, and its fate by kind. */
type Row = readonly [keyof typeof PG, Fate, Fate, Fate];

// biome-ignore format: a table is read by its columns
const ROWS: readonly Row[] = [
  //                 file    anonymous  swap cache
  ["error",          "both", "both",    "both"],
  ["referenced",     "both", "both",    "both"],
  ["uptodate",       "both", "both",    "both"],
  ["active",         "dst",  "dst",     "dst"],
  // Nothing keeps them off the lists of reclaim: whoever puts them on the LRU finds that.
  ["unevictable",    "none", "none",    "none"],
  ["workingset",     "both", "both",    "both"],
  ["checked",        "both", "-",       "-"],
  ["mappedToDisk",   "both", "-",       "-"],
  // Cleared with the entry, and set when it comes back.
  ["anonExclusive",  "-",    "dst",     "dst"],
  // Moved with the slot; without one the old page keeps it, too.
  ["dirty",          "dst",  "both",    "dst"],
  ["young",          "both", "both",    "both"],
  ["idle",           "both", "both",    "both"],
  ["swapcache",      "-",    "-",       "dst"],
  ["swapbacked",     "-",    "both",    "both"],
  ["private",        "dst",  "-",       "-"],
  ["private2",       "src",  "src",     "src"],
  ["readahead",      "both", "both",    "both"],
  ["hwpoison",       "src",  "src",     "src"],
  // Never seen to move: whoever moves a folio has taken it away, or gives it back at the end.
  ["locked",         "none", "none",    "none"],
  ["lru",            "dst",  "dst",     "dst"],
];

/** A page, isolated. */
function isolated(kind: Kind): { call: Call; src: Folio } {
  const call = new Call(64);
  if (kind === "file") return { call, src: call.isolate() };
  const { vm } = call;
  smallSwap(vm, migrateFolio);
  const { folio: src } = anonymousPage(vm, 1);
  if (kind === "swap cache") {
    assert.ok(vm.swap !== null && folioTrylock(vm.mem, src));
    assert.ok(addToSwap(vm.swap, src));
    folioUnlock(vm.mem, src);
  }
  assert.ok(isolateForMigration(vm.mem, src, call.list));
  return { call, src };
}

const ONE: Numbers = [1, 0, 0, 0, 0];

function fateOf(kind: Kind, name: keyof typeof PG): Fate {
  const { call, src } = isolated(kind);
  const { mem } = call.vm;
  if (name === "private") folioAttachPrivate(mem, src, 99);
  else if (name !== "locked" && name !== "lru") setFlag(mem, src, PG[name]);
  call.tell("sync", "memory_failure", ONE);
  lruAddDrain(mem);
  const [dst] = call.target.given;
  const has = [src, dst].map((folio) => testFlag(mem, folio, PG[name]));
  if (has[0]) return has[1] ? "both" : "src";
  return has[1] ? "dst" : "none";
}

for (const [name, ...fates] of ROWS) {
  for (const [at, kind] of KINDS.entries()) {
    if (fates[at] === "-") continue;
    test(`${name}, ${kind}: ${fates[at]}`, () => assert.equal(fateOf(kind, name), fates[at]));
  }
}

test("mlocked is not copied: the entry that comes back sets it, and unevictable with it", () => {
  const call = new Call(64);
  const { vm } = call;
  const { folio: src } = anonymousPage(vm, 1, VM.read | VM.write | VM.locked);
  assert.ok(isolateForMigration(vm.mem, src, call.list));
  call.tell("sync", "memory_failure", ONE);
  const [dst] = call.target.given;
  const kept = PG.mlocked | PG.unevictable;
  assert.deepEqual([vm.mem.flags[src] & kept, vm.mem.flags[dst] & kept], [0, kept]);
  assert.equal(vm.mem.nodes[0].mlockedPages, 1);
});
