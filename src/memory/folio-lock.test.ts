import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../sched/run.ts";
import {
  folioClearWriteback,
  folioLock,
  folioTrylock,
  folioUnlock,
  folioWaitUnlock,
  folioWaitWriteback,
} from "./folio-lock.ts";
import type { Folio } from "./memmap.ts";
import { PG } from "./page-flags.ts";
import { smallMemory } from "./small-memory.ts";

const FOLIO = 5 as Folio;

test("a free lock is taken by trying and by waiting alike, once", () => {
  const mem = smallMemory({ pageCount: 64, free: "none" });
  assert.equal(folioTrylock(mem, FOLIO), true);
  assert.equal(folioTrylock(mem, FOLIO), false);
  folioUnlock(mem, FOLIO);
  runToEnd(folioLock(mem, FOLIO));
  assert.equal(mem.flags[FOLIO], PG.locked);
  assert.equal(folioTrylock(mem, FOLIO), false);
});

test("waiting for a writeback that is over already does not sleep and takes nothing", () => {
  const mem = smallMemory({ pageCount: 64, free: "none" });
  runToEnd(folioWaitWriteback(mem, FOLIO));
  assert.equal(mem.flags[FOLIO], 0);
  assert.equal(mem.waiters.size, 0);
});

test("a lone task that would wait for a lock or for writeback says for which folio", () => {
  const mem = smallMemory({ pageCount: 64, free: "none" });
  mem.flags[FOLIO] = PG.locked;
  assert.throws(() => runToEnd(folioLock(mem, FOLIO)), /would sleep on: folio 5/);
  const other = 6 as Folio;
  mem.flags[other] = PG.writeback;
  assert.throws(() => runToEnd(folioWaitWriteback(mem, other)), /would sleep on: folio 6/);
});

test("unlocking what is not locked, waiting for its unlock and ending what never began are bugs", () => {
  const mem = smallMemory({ pageCount: 64, free: "none" });
  assert.throws(() => folioUnlock(mem, FOLIO), /unlock of a folio that is not locked: 5/);
  assert.throws(() => runToEnd(folioWaitUnlock(mem, FOLIO)), /nobody will unlock the folio: 5/);
  assert.throws(() => folioClearWriteback(mem, FOLIO), /end of a writeback that never began: 5/);
});

test("the end of writeback clears its flag and nothing else", () => {
  const mem = smallMemory({ pageCount: 64, free: "none" });
  mem.flags[FOLIO] = PG.writeback | PG.uptodate | PG.locked;
  folioClearWriteback(mem, FOLIO);
  assert.equal(mem.flags[FOLIO], PG.uptodate | PG.locked);
});
