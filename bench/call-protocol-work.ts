/**
 * What call-protocol.ts measures: the calls of one page's move, without anything worth moving.
 *
 * The same source runs in both builds; the functions named `ByHand` are what one would write
 * if there were no call protocol.
 */
import type { Blocking, Steps } from "../src/sched/blocking.ts";
import { WaitQueue } from "../src/sched/wait-queue.ts";

const LOCKED = 0x1;
const DIRTY = 0x10;
const unlocked = new WaitQueue("a lock that nobody else takes");

export interface Columns {
  readonly flags: Uint32Array;
  readonly refcount: Int32Array;
  readonly mapping: Uint32Array;
  readonly index: Uint32Array;
  /** The page that each virtual page maps, or -1 while it migrates. */
  readonly pte: Int32Array;
}

/** `pages` mapped pages, and as many free ones above them. */
export function makeColumns(pages: number): Columns {
  return {
    flags: new Uint32Array(2 * pages).fill(DIRTY, 0, pages),
    refcount: new Int32Array(2 * pages).fill(2, 0, pages),
    mapping: new Uint32Array(2 * pages).fill(7, 0, pages),
    index: new Uint32Array(2 * pages).map((_, page) => (page < pages ? page : 0)),
    pte: new Int32Array(pages).map((_, page) => page),
  };
}

export function trylock(mem: Columns, page: number): boolean {
  if ((mem.flags[page] & LOCKED) !== 0) return false;
  mem.flags[page] |= LOCKED;
  return true;
}

function unlock(mem: Columns, page: number): void {
  mem.flags[page] &= ~LOCKED;
}

export function* lock(mem: Columns, page: number): Blocking<void> {
  while (!trylock(mem, page)) yield unlocked;
}

function* lockTwoDown(mem: Columns, page: number): Blocking<void> {
  yield* lock(mem, page);
}

function* lockThreeDown(mem: Columns, page: number): Blocking<void> {
  yield* lockTwoDown(mem, page);
}

/** Takes and drops the lock of each of the first `pages` pages. */
export function* lockEach(mem: Columns, pages: number): Blocking<void> {
  for (let page = 0; page < pages; page++) {
    yield* lock(mem, page);
    unlock(mem, page);
  }
}

export function* lockEachThreeDown(mem: Columns, pages: number): Blocking<void> {
  for (let page = 0; page < pages; page++) {
    yield* lockThreeDown(mem, page);
    unlock(mem, page);
  }
}

/** The fast path as a plain call: what hot loops would be written as without the transform. */
export function* lockEachTryFirst(mem: Columns, pages: number): Blocking<void> {
  for (let page = 0; page < pages; page++) {
    if (!trylock(mem, page)) yield* lock(mem, page);
    unlock(mem, page);
  }
}

export function lockEachByHand(mem: Columns, pages: number): void {
  for (let page = 0; page < pages; page++) {
    while (!trylock(mem, page)) unlocked.wouldSleep();
    unlock(mem, page);
  }
}

/** Moves page `src + i` to `dst + i` for each i below `pages`; returns how many moved. */
export function* moveEach(mem: Columns, src: number, dst: number, pages: number): Blocking<number> {
  let moved = 0;
  for (let i = 0; i < pages; i++) if (yield* movePage(mem, src + i, dst + i)) moved++;
  return moved;
}

function* movePage(mem: Columns, src: number, dst: number): Blocking<boolean> {
  yield* lock(mem, src);
  yield* lock(mem, dst);
  try {
    yield* unmap(mem, src);
    const moved = yield* moveToNewPage(mem, src, dst);
    yield* remap(mem, moved ? dst : src);
    return moved;
  } finally {
    unlock(mem, dst);
    unlock(mem, src);
  }
}

function* unmap(mem: Columns, src: number): Steps<void> {
  yield* unmapOne(mem, src);
}

function* unmapOne(mem: Columns, src: number): Steps<void> {
  yield "unmap";
  mem.pte[mem.index[src]] = -1;
  mem.refcount[src]--;
}

function* moveToNewPage(mem: Columns, src: number, dst: number): Blocking<boolean> {
  if (mem.mapping[src] === 0) return false;
  if (!(yield* migrateMapping(mem, src, dst))) return false;
  copyFlags(mem, src, dst);
  return true;
}

function* migrateMapping(mem: Columns, src: number, dst: number): Steps<boolean> {
  const expected = mem.refcount[src];
  yield "count read";
  if (!freeze(mem, src, expected)) return false;
  mem.mapping[dst] = mem.mapping[src];
  mem.index[dst] = mem.index[src];
  mem.mapping[src] = 0;
  mem.refcount[dst] = expected;
  return true;
}

function freeze(mem: Columns, page: number, expected: number): boolean {
  if (mem.refcount[page] !== expected) return false;
  mem.refcount[page] = 0;
  return true;
}

function copyFlags(mem: Columns, src: number, dst: number): void {
  if ((mem.flags[src] & DIRTY) !== 0) mem.flags[dst] |= DIRTY;
  mem.flags[src] &= ~DIRTY;
}

function* remap(mem: Columns, page: number): Steps<void> {
  yield "remap";
  mem.pte[mem.index[page]] = page;
  mem.refcount[page]++;
}

export function moveEachByHand(mem: Columns, src: number, dst: number, pages: number): number {
  let moved = 0;
  for (let i = 0; i < pages; i++) if (movePageByHand(mem, src + i, dst + i)) moved++;
  return moved;
}

function movePageByHand(mem: Columns, src: number, dst: number): boolean {
  if (!trylock(mem, src)) unlocked.wouldSleep();
  if (!trylock(mem, dst)) unlocked.wouldSleep();
  try {
    unmapByHand(mem, src);
    const moved = moveToNewPageByHand(mem, src, dst);
    remapByHand(mem, moved ? dst : src);
    return moved;
  } finally {
    unlock(mem, dst);
    unlock(mem, src);
  }
}

function unmapByHand(mem: Columns, src: number): void {
  mem.pte[mem.index[src]] = -1;
  mem.refcount[src]--;
}

function moveToNewPageByHand(mem: Columns, src: number, dst: number): boolean {
  if (mem.mapping[src] === 0) return false;
  const expected = mem.refcount[src];
  if (!freeze(mem, src, expected)) return false;
  mem.mapping[dst] = mem.mapping[src];
  mem.index[dst] = mem.index[src];
  mem.mapping[src] = 0;
  mem.refcount[dst] = expected;
  copyFlags(mem, src, dst);
  return true;
}

function remapByHand(mem: Columns, page: number): void {
  mem.pte[mem.index[page]] = page;
  mem.refcount[page]++;
}

/** Gives up the processor `times` times from `depth` calls down. */
export function* suspendOften(times: number, depth: number): Steps<void> {
  if (depth > 1) {
    yield* suspendOften(times, depth - 1);
    return;
  }
  for (let i = 0; i < times; i++) yield "point";
}
