import assert from "node:assert/strict";
import { test } from "node:test";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { smallMemory } from "../memory/small-memory.ts";
import { folioMigrateCopy, folioMigrateFlags } from "./folio-state.ts";

/** What becomes of a flag that the source has. */
type Fate =
  /** The new folio gets it, the source keeps it. */
  | "copied"
  /** The new folio gets it, the source loses it. */
  | "moved"
  /** The source loses it and the new folio does not get it. */
  | "dropped"
  /** The source keeps it, the new folio does not get it. */
  | "left";

const FATES: Readonly<Record<keyof typeof PG, Fate>> = {
  locked: "left",
  referenced: "copied",
  uptodate: "copied",
  dirty: "copied",
  lru: "left",
  active: "moved",
  workingset: "copied",
  waiters: "left",
  error: "copied",
  slab: "left",
  ownerPriv1: "copied",
  checked: "copied",
  swapcache: "copied",
  reserved: "left",
  private: "dropped",
  private2: "left",
  writeback: "left",
  head: "left",
  mappedToDisk: "copied",
  anonExclusive: "copied",
  reclaim: "copied",
  readahead: "copied",
  isolated: "copied",
  swapbacked: "left",
  unevictable: "moved",
  mlocked: "left",
  hwpoison: "left",
  young: "copied",
  idle: "copied",
  tail: "left",
  buddy: "left",
  offline: "left",
  table: "left",
  hugetlb: "left",
  hole: "left",
  kernel: "left",
};

function twoFolios(order = 0): { mem: Memory; src: Folio; dst: Folio } {
  const mem = smallMemory({ pageCount: 64 });
  const [src, dst] = [0, 1].map(() => folioAlloc(mem, { ...movableRequest(0), order }));
  assert.ok(src !== null && dst !== null, "the memory has room");
  return { mem, src, dst };
}

for (const [name, fate] of Object.entries(FATES)) {
  const flag = PG[name as keyof typeof PG];
  test(`the flag ${name} is ${fate}`, () => {
    const { mem, src, dst } = twoFolios();
    mem.flags[src] = flag;
    folioMigrateFlags(mem, dst, src);
    const kept = fate === "copied" || fate === "left";
    const got = fate === "copied" || fate === "moved";
    assert.equal(mem.flags[src], kept ? flag : 0, "the source");
    assert.equal(mem.flags[dst], got ? flag : 0, "the new folio");
  });
}

test("of active and unevictable, active alone moves", () => {
  const { mem, src, dst } = twoFolios();
  mem.flags[src] = PG.active | PG.unevictable;
  folioMigrateFlags(mem, dst, src);
  assert.equal(mem.flags[dst], PG.active);
  assert.equal(mem.flags[src], PG.unevictable);
});

test("the source of a swap-backed folio is out of the swap cache afterwards; a file keeps checked", () => {
  const { mem, src, dst } = twoFolios();
  mem.flags[src] = PG.swapbacked | PG.swapcache;
  folioMigrateFlags(mem, dst, src);
  assert.equal(mem.flags[src], PG.swapbacked);
  assert.ok((mem.flags[dst] & PG.swapcache) !== 0);
});

test("a writeback left over on the new folio ends before its alias readahead is set", () => {
  const { mem, src, dst } = twoFolios();
  mem.flags[src] = PG.readahead | PG.uptodate;
  mem.flags[dst] = PG.writeback;
  folioMigrateFlags(mem, dst, src);
  assert.equal(mem.flags[dst], PG.readahead | PG.uptodate);
});

test("what the new folio has already it keeps", () => {
  const { mem, src, dst } = twoFolios();
  mem.flags[src] = PG.uptodate;
  mem.flags[dst] = PG.locked | PG.swapbacked | PG.dirty;
  folioMigrateFlags(mem, dst, src);
  assert.equal(mem.flags[dst], PG.locked | PG.swapbacked | PG.dirty | PG.uptodate);
});

test("the source's private word is cleared, a huge page's is not: flags of its pool are in it", () => {
  const { mem, src, dst } = twoFolios();
  mem.private[src] = 55;
  folioMigrateFlags(mem, dst, src);
  assert.equal(mem.private[src], 0);
  mem.private[src] = 55;
  mem.flags[src] |= PG.hugetlb;
  folioMigrateFlags(mem, dst, src);
  assert.equal(mem.private[src], 55);
});

test("a copy takes the bytes of every page, and the state with them", () => {
  const { mem, src, dst } = twoFolios(2);
  for (let at = 0; at < 4; at++) mem.frames.fill((src + at) as Pfn, 100 + at);
  mem.flags[src] |= PG.uptodate | PG.active;
  folioMigrateCopy(mem, dst, src);
  for (let at = 0; at < 4; at++) assert.ok(mem.frames.holds((dst + at) as Pfn, 100 + at));
  assert.equal(mem.flags[dst], PG.head | PG.uptodate | PG.active);
});
