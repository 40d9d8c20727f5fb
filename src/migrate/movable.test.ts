/** The second door: a driver's page through isolation, its move, its way back, and its freeing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../events/events.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import { folioTestMovable, MAPPING_MOVABLE, mappingId } from "../memory/mapping-word.ts";
import { type Folio, NOT_LINKED, type PageList } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { listAddTail, listEmpty, listFirst } from "../memory/page-list.ts";
import type { MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import { ISOLATE, type MovableOperations } from "../pagecache/movable-operations.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { anonymousPage, cachedFolio, smallVm } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { migrateFolio } from "./callbacks.ts";
import { isolateMovablePage } from "./isolate-movable.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import { clearPageMovable, pageMovable, pageMovableOps, setPageMovable } from "./movable-page.ts";
import { putbackMovablePages } from "./putback.ts";
import type { MigrateReason } from "./reason.ts";
import { SmallDriver } from "./small-driver.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

const ANY = ISOLATE.unevictable;

/** A driver with one page that holds 7, and a list for what is isolated. */
class Scene {
  readonly vm: Vm = smallVm();
  readonly driver: SmallDriver;
  readonly handle: number;
  readonly page: Folio;
  readonly list: PageList = this.mem.takeList();
  readonly target: AllocTarget = new AllocTarget(this.mem);
  readonly trace: TraceLines = new TraceLines();
  private readonly free = this.freePages;

  /** `ops` take the place of the driver's own. */
  constructor(ops: Partial<MovableOperations> = {}) {
    this.driver = new SmallDriver(this.vm.cache, ops);
    this.handle = this.driver.add(7);
    this.page = this.driver.pageOf(this.handle);
    this.mem.events.trace = this.trace;
  }

  get mem(): Memory {
    return this.vm.mem;
  }

  isolate(page: Folio = this.page): string {
    const outcome = runToEnd(isolateMovablePage(this.vm.cache, page, ANY));
    if (outcome === "isolated") listAddTail(this.mem, this.list, page);
    return outcome;
  }

  migrate(mode: MigrateMode = "sync", reason: MigrateReason = "compaction"): MigrateResult {
    return runToEnd(migratePages(this.vm, this.list, this.target, mode, reason));
  }

  putBack(): void {
    runToEnd(putbackMovablePages(this.vm, this.list));
  }

  /** The only call so far has counted so many pages, and told them. */
  assertTold(succeeded: number, failed: number): void {
    const { counts } = this.mem.events.vmstat;
    const counted = [counts[VM_EVENT.pgmigrate_success], counts[VM_EVENT.pgmigrate_fail]];
    assert.deepEqual(counted, [succeeded, failed]);
    assert.match(
      this.trace.lines.at(-1) ?? "",
      new RegExp(`^mm_migrate_pages: nr_succeeded=${succeeded} nr_failed=${failed} `),
    );
  }

  /** The driver closes: no page, no count and no list of it is left. */
  finish(): void {
    const { mem, driver, list } = this;
    driver.close();
    mem.releaseList(list);
    assert.equal(this.freePages, this.free, "a page leaked");
    assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0], "counted as isolated");
    assert.equal(mem.flags[this.page] & PG.isolated, 0);
  }

  private get freePages(): number {
    return this.mem.zones[0].freePages;
  }
}

test("a page is movable from set to clear, and its word remembers that it was", () => {
  const { vm, mem, driver } = new Scene();
  const page = folioAlloc(mem, movableRequest(0));
  assert.ok(page !== null);
  assert.throws(() => setPageMovable(vm.cache, page, driver.ops), /lock of a movable page/);
  folioTrylock(mem, page);
  assert.ok(!folioTestMovable(mem, page) && !pageMovable(mem, page));
  setPageMovable(vm.cache, page, driver.ops);
  assert.ok(folioTestMovable(mem, page) && pageMovable(mem, page));
  assert.equal(pageMovableOps(vm.cache, page), driver.ops);
  assert.throws(() => setPageMovable(vm.cache, page, driver.ops), /has an owner already/);

  clearPageMovable(mem, page);
  assert.equal(mem.mapping[page], MAPPING_MOVABLE);
  assert.equal(mappingId(mem.mapping[page]), -1);
  assert.ok(folioTestMovable(mem, page) && !pageMovable(mem, page));
  assert.throws(() => clearPageMovable(mem, page), /not a movable page/);
  assert.throws(() => pageMovableOps(vm.cache, page), /not a movable page/);
  folioUnlock(mem, page);
  assert.ok(folioTestMovable(mem, page), "a look at the word needs no lock");
  assert.throws(() => pageMovable(mem, page), /lock of a movable page/);
  folioPut(mem, page);
  assert.equal(mem.mapping[page], 0, "freed with the word that it had");
});

test("each driver's operations have a place of their own, a word of each kind one meaning", () => {
  const { vm, mem, driver, page } = new Scene();
  const other = new SmallDriver(vm.cache, { name: "another" });
  const theirs = other.pageOf(other.add(1));
  assert.notEqual(mem.mapping[theirs], mem.mapping[page]);
  folioTrylock(mem, page);
  folioTrylock(mem, theirs);
  assert.equal(pageMovableOps(vm.cache, page), driver.ops);
  assert.equal(pageMovableOps(vm.cache, theirs), other.ops);
  const file = vm.cache.createMapping("a file", {});
  const cached = cachedFolio(vm, file, 0, 1);
  const anon = anonymousPage(vm, 1).folio;
  for (const each of [cached, anon]) assert.ok(!folioTestMovable(mem, each));
  const mappings = [page, theirs, anon, cached].map((each) => vm.cache.folioMapping(each));
  assert.deepEqual(mappings, [null, null, null, file], "a flagged word names no file");
});

/** Each reason not to isolate, in the order of the steps, and what it must leave as it was. */
const REFUSALS: readonly {
  readonly what: string;
  readonly prepare: (scene: Scene) => Folio;
}[] = [
  {
    what: "a page that nobody holds",
    prepare: ({ mem, driver, handle, page }) => {
      runToEnd(driver.free(handle));
      assert.equal(mem.refcount[page], 0);
      return page;
    },
  },
  {
    what: "a page that is no driver's",
    prepare: ({ vm }) => anonymousPage(vm, 1).folio,
  },
  {
    what: "a page that somebody has locked",
    prepare: ({ mem, page }) => {
      folioTrylock(mem, page);
      return page;
    },
  },
  {
    what: "a page that its driver has let go of",
    prepare: ({ mem, driver, handle, page }) => {
      folioGet(mem, page);
      runToEnd(driver.free(handle));
      assert.ok(folioTestMovable(mem, page));
      return page;
    },
  },
  {
    what: "a page that is isolated already",
    prepare: (scene) => {
      assert.equal(scene.isolate(), "isolated");
      return scene.page;
    },
  },
  {
    what: "a page that its driver wants to keep",
    prepare: ({ driver, page }) => {
      driver.isWilling = false;
      return page;
    },
  },
];

for (const { what, prepare } of REFUSALS) {
  test(`${what} is not isolated, and nothing about it changes`, () => {
    const scene = new Scene();
    const { mem, driver } = scene;
    const page = prepare(scene);
    const look = (): unknown[] => [
      mem.refcount[page],
      mem.flags[page],
      mem.mapping[page],
      mem.next[page],
      driver.isolated,
    ];
    const before = look();
    assert.equal(runToEnd(isolateMovablePage(scene.vm.cache, page, ANY)), "EBUSY");
    assert.deepEqual(look(), before);
  });
}

test("the last reference of a page that its driver frees meanwhile is the isolator's", () => {
  const { vm, mem, driver, page, handle } = new Scene();
  folioGet(mem, page);
  runToEnd(driver.free(handle));
  // As if the isolator had taken the reference before the driver put its own.
  assert.equal(runToEnd(isolateMovablePage(vm.cache, page, ANY)), "EBUSY");
  assert.equal(mem.refcount[page], 1);
  folioPut(mem, page);
  assert.equal(mem.flags[page], PG.buddy & mem.flags[page]);
});

test("an isolated page is held and marked, unlocked, off the driver's list, counted by it alone", () => {
  const { vm, mem, driver, page } = new Scene();
  assert.equal(runToEnd(isolateMovablePage(vm.cache, page, ANY)), "isolated");
  assert.deepEqual([mem.refcount[page], mem.flags[page]], [2, PG.isolated]);
  assert.ok(listEmpty(mem, driver.list));
  assert.equal(driver.isolated, 1);
  assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0]);
});

test("a driver is asked under the page's lock, with the VM's reference held, before the mark", () => {
  const asked: number[][] = [];
  const { vm, page } = new Scene({
    *isolatePage(mem, each, mode): Steps<boolean> {
      yield "driver-asked";
      asked.push([each, mode, mem.refcount[each], mem.flags[each]]);
      return false;
    },
  });
  const mode = ISOLATE.asyncMigrate | ISOLATE.unevictable;
  runToEnd(isolateMovablePage(vm.cache, page, mode));
  assert.deepEqual(asked, [[page, mode, 2, PG.locked]]);
});

test("a driver's page moves in every mode but without a copy, and its handle finds it", () => {
  for (const mode of ["async", "sync-light", "sync"] as const) {
    const scene = new Scene();
    const { vm, mem, driver, handle, page } = scene;
    scene.isolate();
    assert.deepEqual(scene.migrate(mode), { notMoved: 0, error: null, succeededPages: 1 });
    const [dst] = scene.target.given;
    assert.equal(driver.pageOf(handle), dst);
    assert.equal(driver.read(handle), 7);
    assert.deepEqual([mem.refcount[dst], mem.flags[dst]], [1, 0], "the driver's reference alone");
    assert.equal(listFirst(mem, driver.list), dst);
    assert.equal(driver.isolated, 0);
    assert.equal(mem.refcount[page], 0, "the old page is free");
    assert.equal(scene.target.returned, 0);
    assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0]);
    scene.assertTold(1, 0);
    folioTrylock(mem, dst);
    assert.equal(pageMovableOps(vm.cache, dst), driver.ops);
    folioUnlock(mem, dst);
    scene.finish();
  }
});

/** Each answer of a driver: how often it is asked, and what is said of the page. */
const ANSWERS: readonly [MigrateOutcome, MigrateMode, number, string][] = [
  ["EAGAIN", "sync", 10, "driver_busy"],
  ["EBUSY", "sync", 1, "driver_refuses"],
  ["EINVAL", "sync", 1, "driver_refuses"],
  ["EIO", "async", 1, "driver_refuses"],
];

for (const [answer, mode, tries, refusal] of ANSWERS) {
  test(`a driver that answers ${answer} is asked ${tries} times, and gets its page back`, () => {
    const scene = new Scene();
    const { mem, driver, page, handle } = scene;
    for (let at = 0; at < 20; at++) driver.answers.push(answer);
    scene.isolate();
    const { notMoved } = scene.migrate(mode);
    assert.equal(notMoved, 1);
    assert.deepEqual([20 - driver.answers.length, scene.target.returned], [tries, tries]);
    assert.equal(mem.events.refusals.standing.get(page)?.name, refusal);
    assert.deepEqual([mem.refcount[page], mem.flags[page]], [2, PG.isolated], "still isolated");
    assert.equal(listFirst(mem, scene.list), page);
    scene.putBack();
    assert.deepEqual([mem.refcount[page], mem.flags[page]], [1, 0]);
    assert.equal(listFirst(mem, driver.list), page);
    assert.deepEqual([driver.isolated, driver.pageOf(handle)], [0, page]);
    scene.assertTold(0, 1);
    driver.answers.length = 0;
    scene.finish();
  });
}

test("a page is its driver's to move, whatever the driver counts where others count mappings", () => {
  let asked = 0;
  function* migratePage(): Blocking<MigrateOutcome> {
    yield "driver-is-asked";
    asked++;
    return "EBUSY";
  }
  const scene = new Scene({ migratePage });
  const { mem, page } = scene;
  mem.mapcount[page] = 3;
  scene.isolate();
  assert.deepEqual(scene.migrate(), { notMoved: 1, error: null, succeededPages: 0 });
  assert.deepEqual([asked, mem.mapcount[page]], [1, 3]);
  scene.putBack();
});

test("a driver that cannot leave the copy to others says so", () => {
  const scene = new Scene();
  scene.isolate();
  assert.equal(scene.migrate("sync-no-copy").notMoved, 1);
  const refusal = scene.vm.mem.events.refusals.standing.get(scene.page);
  assert.equal(refusal?.name, "driver_refuses");
  scene.assertTold(0, 1);
  scene.putBack();
  scene.finish();
});

test("a driver that was busy for a moment moves its page at the next try", () => {
  const scene = new Scene();
  scene.driver.answers.push("EAGAIN", "EAGAIN");
  scene.isolate();
  assert.equal(scene.migrate("async").notMoved, 0);
  assert.equal(scene.target.returned, 2);
  assert.equal(scene.vm.mem.events.refusals.standing.size, 0);
  assert.equal(scene.driver.read(scene.handle), 7);
  scene.finish();
});

test("a page that was freed while isolated counts as moved, and no new page is asked for", () => {
  const scene = new Scene();
  const { mem, driver, page, handle } = scene;
  scene.isolate();
  assert.equal(runToEnd(driver.free(handle)), "freed while isolated");
  assert.deepEqual([mem.refcount[page], mem.mapping[page]], [1, MAPPING_MOVABLE]);
  assert.equal(listFirst(mem, scene.list), page, "its links are the VM's");
  assert.deepEqual(scene.migrate(), { notMoved: 0, error: null, succeededPages: 1 });
  assert.deepEqual([scene.target.given, mem.refcount[page]], [[], 0]);
  scene.finish();
});

test("a page that was freed while isolated and is held besides leaves the new page untouched", () => {
  const scene = new Scene();
  const { mem, driver, page, handle } = scene;
  scene.isolate();
  runToEnd(driver.free(handle));
  // A passer-by, such as another scanner: so the count alone does not tell.
  folioGet(mem, page);
  assert.deepEqual(scene.migrate(), { notMoved: 0, error: null, succeededPages: 1 });
  const [dst] = scene.target.given;
  scene.assertTold(1, 0);
  assert.deepEqual([mem.refcount[dst], scene.target.returned], [0, 0], "put, not given back");
  assert.deepEqual([mem.refcount[page], mem.flags[page]], [1, 0], "the passer-by's, not isolated");
  folioPut(mem, page);
  scene.finish();
});

test("a page that was freed while isolated is put back to nobody", () => {
  const scene = new Scene();
  const { mem, driver, page, handle } = scene;
  scene.isolate();
  runToEnd(driver.free(handle));
  scene.putBack();
  assert.deepEqual([mem.refcount[page], mem.flags[page] & PG.isolated], [0, 0]);
  assert.ok(listEmpty(mem, driver.list));
  scene.finish();
});

test("a driver that has given up the old page and got no new one has moved nothing", () => {
  // A balloon whose host took the old page back and would not lend another.
  const scene: Scene = new Scene({
    *migratePage(mem, _dst, src): Blocking<MigrateOutcome> {
      folioUnlock(mem, src);
      yield* scene.driver.free(scene.handle);
      assert.ok(folioTrylock(mem, src));
      return "EBUSY";
    },
  });
  const { mem, page } = scene;
  scene.isolate();
  assert.equal(scene.migrate().notMoved, 1);
  assert.equal(mem.refcount[page], 1);
  scene.putBack();
  assert.equal(mem.refcount[page], 0);
  scene.finish();
});

test("a driver that sleeps in an asynchronous move is named", () => {
  const queue = new WaitQueue("the host's answer");
  const scene = new Scene({
    *migratePage(): Blocking<MigrateOutcome> {
      yield queue;
      return "moved";
    },
  });
  scene.isolate();
  assert.throws(() => scene.migrate("async"), {
    name: "SleptError",
    message: "a driver must not sleep here and would on: the host's answer",
  });
});

/** What a driver must not do when it says that it has moved a page. */
const BROKEN: readonly [string, (mem: Memory, src: Folio) => void, RegExp][] = [
  ["keeps the old page", () => {}, /moved a page and kept the old: a driver/],
  [
    "does not make the new page its own",
    (mem, src) => clearPageMovable(mem, src),
    /moved a page and has not the new: a driver/,
  ],
  [
    "ends the isolation itself",
    (mem, src) => {
      mem.flags[src] &= ~PG.isolated;
    },
    /a driver ended an isolation: a driver/,
  ],
];

for (const [what, act, says] of BROKEN) {
  test(`a driver that ${what} and says that it moved is found out`, () => {
    const scene = new Scene({
      *migratePage(mem, _dst, src): Blocking<MigrateOutcome> {
        yield "driver-breaks";
        act(mem, src);
        return "moved";
      },
    });
    scene.isolate();
    assert.throws(() => scene.migrate(), says);
  });
}

test("what was never isolated is neither moved nor put back", () => {
  for (const act of ["migrate", "putBack"] as const) {
    const scene = new Scene();
    const { mem, page, list } = scene;
    mem.next[page] = NOT_LINKED;
    folioGet(mem, page);
    listAddTail(mem, list, page);
    assert.throws(() => scene[act](), /without isolation/);
  }
});

test("folios on the LRU and pages off it share a list, and only the former are counted", () => {
  for (const fails of [false, true]) {
    const scene = new Scene();
    const { vm, mem, driver, handle, list } = scene;
    const anon = anonymousPage(vm, 1);
    const file = cachedFolio(vm, vm.cache.createMapping("a file", { migrateFolio }), 0, 1);
    assert.ok(isolateForMigration(mem, anon.folio, list));
    scene.isolate();
    assert.ok(isolateForMigration(mem, file, list));
    assert.deepEqual([...mem.nodes[0].isolatedPages], [1, 1]);
    if (fails) scene.target.limit = 0;
    assert.equal(scene.migrate().error, fails ? "ENOMEM" : null);
    assert.deepEqual([...mem.nodes[0].isolatedPages], fails ? [1, 1] : [0, 0]);
    scene.putBack();
    assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0]);
    lruAddDrain(mem);
    assert.equal(
      mem.nodes[0].lruPages.reduce((sum, pages) => sum + pages, 0),
      2,
    );
    assert.equal(driver.pageOf(handle) === scene.page, fails);
    assert.equal(driver.read(handle), 7);
    assert.equal(mem.flags[driver.pageOf(handle)], 0, "not on the LRU");
  }
});
