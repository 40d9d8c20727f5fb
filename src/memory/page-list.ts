/**
 * Doubly linked lists of pages, the links in the memory map's `next` and `prev` columns.
 *
 * A page is on one list at most. A list is walked from `listFirst` until the list itself comes up
 * again; take the successor before unlinking the page at hand. Linux: `struct list_head`.
 */
import { assert } from "../base/assert.ts";
import { type Memmap, NOT_LINKED, type PageList, type Pfn } from "./memmap.ts";

export function listEmpty(mem: Memmap, list: PageList): boolean {
  return mem.next[list] === (list as number);
}

/** The first page, or the list itself when it is empty. */
export function listFirst(mem: Memmap, list: PageList): Pfn {
  return mem.next[list] as Pfn;
}

/** The last page, or the list itself when it is empty. */
export function listLast(mem: Memmap, list: PageList): Pfn {
  return mem.prev[list] as Pfn;
}

/** True when a walk of `list` has come round. */
export function listIsEnd(list: PageList, page: Pfn): boolean {
  return (page as number) === (list as number);
}

/** Puts `page` first. Linux: `list_add()`. */
export function listAdd(mem: Memmap, list: PageList, page: Pfn): void {
  link(mem, list, page, mem.next[list]);
}

/** Puts `page` last. Linux: `list_add_tail()`. */
export function listAddTail(mem: Memmap, list: PageList, page: Pfn): void {
  link(mem, mem.prev[list], page, list);
}

/** Takes `page` off whatever list it is on. Linux: `list_del()`. */
export function listDel(mem: Memmap, page: Pfn): void {
  const { next, prev } = mem;
  const after = next[page];
  assert(after !== NOT_LINKED, "unlinking a page that is on no list:", page);
  const before = prev[page];
  next[before] = after;
  prev[after] = before;
  next[page] = NOT_LINKED;
}

/** Moves all pages of `from`, in order, to the front of `to`. Linux: `list_splice_init()`. */
export function listSplice(mem: Memmap, from: PageList, to: PageList): void {
  if (!listEmpty(mem, from)) spliceBetween(mem, from, to, mem.next[to]);
}

/** Moves all pages of `from`, in order, to the end of `to`. Linux: `list_splice_tail_init()`. */
export function listSpliceTail(mem: Memmap, from: PageList, to: PageList): void {
  if (!listEmpty(mem, from)) spliceBetween(mem, from, mem.prev[to], to);
}

/** Turns the ring so that `page`, which is on `list`, is first: those before it come last. */
export function listRotateToFirst(mem: Memmap, list: PageList, page: Pfn): void {
  if (mem.next[list] !== page) moveHead(mem, list, mem.prev[page], page);
}

/** Turns the ring so that `page`, which is on `list`, is last: those after it come first. */
export function listRotateToLast(mem: Memmap, list: PageList, page: Pfn): void {
  if (mem.prev[list] !== page) moveHead(mem, list, page, mem.next[page]);
}

/** Number of pages on the list, by walking it. */
export function listLength(mem: Memmap, list: PageList): number {
  let length = 0;
  for (let page = mem.next[list]; page !== (list as number); page = mem.next[page]) length++;
  return length;
}

function link(mem: Memmap, before: number, page: Pfn, after: number): void {
  const { next, prev } = mem;
  assert(next[page] === NOT_LINKED, "linking a page that is on a list already:", page);
  next[before] = page;
  prev[page] = before;
  next[page] = after;
  prev[after] = page;
}

function spliceBetween(mem: Memmap, from: PageList, before: number, after: number): void {
  const { next, prev } = mem;
  const first = next[from];
  const last = prev[from];
  next[before] = first;
  prev[first] = before;
  next[last] = after;
  prev[after] = last;
  next[from] = from;
  prev[from] = from;
}

/** Takes the list's own link out of its ring and puts it back between two pages of it. */
function moveHead(mem: Memmap, list: PageList, before: number, after: number): void {
  const { next, prev } = mem;
  next[prev[list]] = next[list];
  prev[next[list]] = prev[list];
  next[before] = list;
  prev[list] = before;
  next[list] = after;
  prev[after] = list;
}
