/**
 * One folio on its way, with a line for each step that can be seen in both builds, for tests.
 *
 * The steps: before; isolated; asked (the caller for a new folio); owner (asked to move it, where
 * there is one); copied (the bytes, about to be); remapped (an entry is back); over.
 */
import { assert } from "../../base/assert.ts";
import type { TraceSink } from "../../events/events.ts";
import { GFP } from "../../memory/gfp.ts";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAddTail } from "../../memory/page-list.ts";
import type { MigrateFolio, MigrateMode, MigrateOutcome } from "../../pagecache/address-space.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import type { Hstate } from "../../vm/hugetlb/hstate.ts";
import { folioIsolateHugetlb } from "../../vm/hugetlb/isolate.ts";
import { hugetlbShape, smallPool } from "../../vm/hugetlb/small-hugetlb.ts";
import { cachedFolio } from "../../vm/small-vm.ts";
import type { Vm } from "../../vm/vm.ts";
import { allocMigrationTarget } from "../alloc-migration-target.ts";
import { isolateMovablePage } from "../isolate-movable.ts";
import { isolateForMigration } from "../small-migration.ts";
import { Call } from "./small-call.ts";

/** What is to be seen of either folio. */
export type Look = (vm: Vm, folio: Folio) => string;

export class WatchedMove implements TraceSink {
  readonly call: Call = new Call(hugetlbShape(1, 8));
  /** Step, what is to be seen of `src`, and of `dst` once there is one. */
  readonly lines: string[] = [];
  private src: Folio = -1 as Folio;
  private readonly look: Look;

  constructor(look: Look) {
    this.look = look;
  }

  get vm(): Vm {
    return this.call.vm;
  }

  /** The owner's callback as it is, but with its start told. */
  owner(callback: MigrateFolio): MigrateFolio {
    const watched = this;
    return function* owner(mem, mapping, dst, src, mode): Blocking<MigrateOutcome> {
      watched.note("owner", dst);
      return yield* callback(mem, mapping, dst, src, mode);
    };
  }

  /** A folio of a new file with such an owner. */
  file(callback: MigrateFolio, order = 0): Folio {
    const ops = { migrateFolio: this.owner(callback) };
    return cachedFolio(this.vm, this.vm.cache.createMapping("a file", ops), 0, 1, order);
  }

  /** Three huge pages, and new ones out of the same pool. */
  takeFromPool(): Hstate {
    const { call, vm } = this;
    const hstate = smallPool(vm, [3]);
    call.give = function* (src): Blocking<Folio | null> {
      const dst = yield* allocMigrationTarget(vm, src, { node: 0, gfp: GFP.thisNode });
      if (dst !== null) call.target.given.push(dst);
      return dst;
    };
    return hstate;
  }

  /** Moves the folio, wherever it is isolated from; the lines. */
  move(src: Folio, mode: MigrateMode = "sync"): readonly string[] {
    const { call, vm } = this;
    this.src = src;
    this.note("before");
    this.isolate();
    this.note("isolated");
    const { give } = call;
    call.give = (folio) => {
      this.note("asked");
      return give(folio);
    };
    this.watchCopies();
    vm.mem.events.trace = this;
    call.migrate(mode, "syscall_or_cpuset");
    this.note("over", call.target.given[0]);
    return this.lines;
  }

  event(name: string): void {
    if (name.startsWith("remove_migration_p")) this.note("remapped", this.call.target.given[0]);
  }

  private isolate(): void {
    const { call, vm, src } = this;
    if (isolateForMigration(vm.mem, src, call.list)) return;
    if (testFlag(vm.mem, src, PG.hugetlb)) {
      assert(folioIsolateHugetlb(vm, src, call.list) === "isolated", "a huge page in use:", src);
      return;
    }
    const isolated = runToEnd(isolateMovablePage(vm.cache, src, 0));
    assert(isolated === "isolated", "neither on the LRU nor a driver's:", src);
    listAddTail(vm.mem, call.list, src);
  }

  /** Of a large folio the first page alone is told. */
  private watchCopies(): void {
    const { frames } = this.vm.mem;
    const copy = frames.copy.bind(frames);
    frames.copy = (dst, src): void => {
      if (src === this.src) this.note("copied", dst as Folio);
      copy(dst, src);
    };
  }

  private note(step: string, dst?: Folio): void {
    const folios = dst === undefined ? [this.src] : [this.src, dst];
    const seen = folios.map((folio) => this.look(this.vm, folio));
    this.lines.push([step, ...seen].join(" "));
  }
}

/** Lines as the log has them, from a text with one a row in any alignment. */
export function lines(text: string): string[] {
  const rows = text.trim().split("\n");
  return rows.map((row) => row.trim().replace(/ +/g, " "));
}
