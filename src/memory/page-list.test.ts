import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Memmap, NOT_LINKED, type PageList, type Pfn } from "./memmap.ts";
import {
  listAdd,
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listIsEnd,
  listLast,
  listLength,
  listSplice,
  listSpliceTail,
} from "./page-list.ts";

const PAGES = 12;

/** Two lists, as arrays and for real. */
interface Lists {
  readonly mem: Memmap;
  readonly lists: readonly [PageList, PageList];
}

type Model = [number[], number[]];
type ListCommand = fc.Command<Model, Lists>;

function walk({ mem }: Lists, list: PageList): number[] {
  const pages: number[] = [];
  for (let at = listFirst(mem, list); !listIsEnd(list, at); at = mem.next[at] as Pfn) {
    pages.push(at);
  }
  return pages;
}

function walkBack({ mem }: Lists, list: PageList): number[] {
  const pages: number[] = [];
  for (let at = listLast(mem, list); !listIsEnd(list, at); at = mem.prev[at] as Pfn) {
    pages.push(at);
  }
  return pages.reverse();
}

function assertSame(model: Model, real: Lists): void {
  for (const [at, expected] of model.entries()) {
    const list = real.lists[at];
    assert.deepEqual(walk(real, list), expected);
    assert.deepEqual(walkBack(real, list), expected);
    assert.equal(listLength(real.mem, list), expected.length);
    assert.equal(listEmpty(real.mem, list), expected.length === 0);
  }
  for (let page = 0; page < PAGES; page++) {
    const isLinked = model.some((list) => list.includes(page));
    assert.equal(real.mem.next[page] !== NOT_LINKED, isLinked);
  }
}

function command(
  name: string,
  check: (model: Readonly<Model>) => boolean,
  run: (model: Model, real: Lists) => void,
): ListCommand {
  return {
    check,
    run(model, real) {
      run(model, real);
      assertSame(model, real);
    },
    toString: () => name,
  };
}

const WHICH = fc.constantFrom(0, 1);
const PAGE = fc.nat({ max: PAGES - 1 });

const isLinked = (page: number) => (model: Readonly<Model>) =>
  model.some((list) => list.includes(page));

const COMMANDS = [
  fc.tuple(WHICH, PAGE).map(([which, page]) =>
    command(
      `add ${page} to ${which}`,
      (model) => !isLinked(page)(model),
      (model, { mem, lists }) => {
        listAdd(mem, lists[which], page as Pfn);
        model[which].unshift(page);
      },
    ),
  ),
  fc.tuple(WHICH, PAGE).map(([which, page]) =>
    command(
      `add ${page} to the end of ${which}`,
      (model) => !isLinked(page)(model),
      (model, { mem, lists }) => {
        listAddTail(mem, lists[which], page as Pfn);
        model[which].push(page);
      },
    ),
  ),
  PAGE.map((page) =>
    command(`delete ${page}`, isLinked(page), (model, { mem }) => {
      listDel(mem, page as Pfn);
      for (const list of model) if (list.includes(page)) list.splice(list.indexOf(page), 1);
    }),
  ),
  WHICH.map((from) =>
    command(
      `splice ${from}`,
      () => true,
      (model, { mem, lists }) => {
        listSplice(mem, lists[from], lists[1 - from]);
        model[1 - from].unshift(...model[from].splice(0));
      },
    ),
  ),
  WHICH.map((from) =>
    command(
      `splice ${from} to the end`,
      () => true,
      (model, { mem, lists }) => {
        listSpliceTail(mem, lists[from], lists[1 - from]);
        model[1 - from].push(...model[from].splice(0));
      },
    ),
  ),
];

test("two lists of pages do what two arrays do, forwards and backwards", () => {
  const setup = (): { model: Model; real: Lists } => {
    const mem = new Memmap(PAGES, 2);
    return { model: [[], []], real: { mem, lists: [mem.takeList(), mem.takeList()] } };
  };
  const commands = fc.commands(COMMANDS, { size: "+1" });
  fc.assert(
    fc.property(commands, (list) => fc.modelRun(setup, list)),
    { numRuns: 300 },
  );
});

test("a page is on one list at most, and leaves only a list that it is on", () => {
  const mem = new Memmap(4, 2);
  const [first, second] = [mem.takeList(), mem.takeList()];
  listAdd(mem, first, 2 as Pfn);
  assert.throws(
    () => listAdd(mem, second, 2 as Pfn),
    /linking a page that is on a list already: 2/,
  );
  assert.throws(() => listAddTail(mem, first, 2 as Pfn), /linking a page/);
  assert.throws(() => listDel(mem, 3 as Pfn), /unlinking a page that is on no list: 3/);
});

test("lists come and go; one with pages on it does not, nor one more than there are", () => {
  const mem = new Memmap(4, 2);
  const first = mem.takeList();
  const second = mem.takeList();
  assert.equal(mem.listsInUse, 2);
  assert.throws(() => mem.takeList(), /more page lists than the memory map was made for/);
  listAdd(mem, first, 1 as Pfn);
  assert.throws(() => mem.releaseList(first), /release of a list with pages on it/);
  listDel(mem, 1 as Pfn);
  mem.releaseList(first);
  assert.equal(mem.listsInUse, 1);
  assert.equal(mem.takeList(), first);
  assert.notEqual(first, second);
});

test("a frame number from outside becomes a page only if there is such a frame", () => {
  const mem = new Memmap(4, 0);
  assert.equal(mem.pfn(3), 3);
  assert.throws(() => mem.pfn(4), /no such page frame: 4/);
  assert.throws(() => mem.pfn(-1), /no such page frame: -1/);
  assert.throws(() => new Memmap(0, 0), /a memory map holds 1 to 2\^28 pages/);
});
