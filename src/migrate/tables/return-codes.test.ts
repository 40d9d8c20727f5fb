/**
 * What becomes of a folio by what its attempt answers: list, counters, trace.
 *
 * Each row is a call with three folios, of which the middle one gives the answer. In 6.1 the mode
 * makes no difference to that; a call of 6.3 counts the same, with fewer new folios: one where the
 * owner is asked again with the same, and one more where a synchronous call begins anew.
 * Linux: the switch on `rc` in `migrate_pages_batch()`. No row for "ENOSYS" of a transparent huge
 * page: here every kernel that can move pages can move those.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Release } from "../../base/profile.ts";
import { folioTestLarge } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { MigrateMode, MigrateOutcome } from "../../pagecache/address-space.ts";
import { filemapRemoveFolio } from "../../pagecache/page-cache.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { filemapMigrateFolio } from "../callbacks.ts";
import type { MigrateReason } from "../reason.ts";
import { Call, MODES, type Numbers } from "./small-call.ts";

/** What happens to the middle folio. */
type Answer =
  /** Its owner says so at every attempt, or at the first nine and then moves it. */
  | Exclude<MigrateOutcome, "moved">
  | "EAGAIN nine times"
  | "moved"
  /** Its owner has freed it. */
  | "freed"
  /** There is no folio of its size to move to; it can be split, and its pages move. */
  | "ENOMEM"
  /** The same, asked for by a longterm pin, or by a hinting fault. */
  | "ENOMEM, longterm"
  | "ENOMEM, numa"
  /** As before, but somebody holds it. */
  | "ENOMEM, held"
  | "ENOMEM, held, longterm"
  /** As before it, but the first of its pages that is tried is held by then. */
  | "ENOMEM, a page held"
  /** As before it, but the owner refuses that page for good. */
  | "ENOMEM, a page refused"
  /** As before it, but there is no place for its pages either. */
  | "ENOMEM, no pages";

/**
 * What happens to the middle folio and its order; how many new folios are asked for it, in 6.1, by
 * an asynchronous call of 6.3 and by a synchronous one; what is on the list afterwards ("it+1" is
 * the second page of the middle one); what the call returns; what it counts and tells.
 */
type Row = readonly [Answer, number, number, number, number, string, number | "ENOMEM", Numbers];

// biome-ignore format: a table is read by its columns
const ROWS: readonly Row[] = [
  ["moved",                  0,  1,  1,  1, "",                  0,        [3, 0, 0, 0, 0]],
  ["freed",                  0,  0,  0,  0, "",                  0,        [3, 0, 0, 0, 0]],
  ["EAGAIN",                 0, 10,  1,  2, "it",                1,        [2, 1, 0, 0, 0]],
  ["EAGAIN nine times",      0, 10,  1,  2, "",                  0,        [3, 0, 0, 0, 0]],
  ["EBUSY",                  0,  1,  1,  2, "it",                1,        [2, 1, 0, 0, 0]],
  ["EINVAL",                 0,  1,  1,  2, "it",                1,        [2, 1, 0, 0, 0]],
  ["EIO",                    0,  1,  1,  2, "it",                1,        [2, 1, 0, 0, 0]],
  ["ENOMEM",                 0,  1,  1,  1, "it back",           "ENOMEM", [1, 1, 0, 0, 0]],
  // Large, but not huge: counted by its pages, and once where folios are counted.
  ["moved",                  2,  1,  1,  1, "",                  0,        [6, 0, 0, 0, 0]],
  ["freed",                  2,  0,  0,  0, "",                  0,        [6, 0, 0, 0, 0]],
  ["EAGAIN",                 2, 10,  1,  2, "it",                1,        [2, 4, 0, 0, 0]],
  ["EBUSY",                  2,  1,  1,  2, "it",                1,        [2, 4, 0, 0, 0]],
  // Asked again as a single page: the first of its own.
  ["ENOMEM",                 2,  2,  2,  2, "",                  0,        [6, 0, 0, 0, 0]],
  ["ENOMEM, a page held",    2,  2,  2,  2, "it+1",              1,        [5, 1, 0, 0, 0]],
  ["ENOMEM, a page refused", 2,  2,  2,  2, "it+1",              1,        [5, 1, 0, 0, 0]],
  ["ENOMEM, no pages",       2,  1,  1,  1, "it+1 it+2 it+3 it", "ENOMEM", [2, 1, 0, 0, 0]],
  ["ENOMEM, held",           2,  1,  1,  1, "it back",           "ENOMEM", [1, 4, 0, 0, 0]],
  ["ENOMEM, held, longterm", 2, 10, 10, 10, "it",                1,        [2, 4, 0, 0, 0]],
  ["ENOMEM, longterm",       2,  2,  2,  2, "",                  0,        [6, 0, 0, 0, 0]],
  ["ENOMEM, numa",           2,  1,  1,  1, "it back",           "ENOMEM", [1, 4, 0, 0, 0]],
  // Huge: counted as such, too.
  ["moved",                  9,  1,  1,  1, "",                  0,        [514, 0, 1, 0, 0]],
  ["freed",                  9,  0,  0,  0, "",                  0,        [514, 0, 1, 0, 0]],
  ["EAGAIN",                 9, 10,  1,  2, "it",                1,        [2, 512, 0, 1, 0]],
  ["EBUSY",                  9,  1,  1,  2, "it",                1,        [2, 512, 0, 1, 0]],
  ["ENOMEM",                 9,  2,  2,  2, "",                  0,        [514, 0, 0, 1, 1]],
  ["ENOMEM, a page held",    9,  2,  2,  2, "it+1",              1,        [513, 1, 0, 1, 1]],
  ["ENOMEM, a page refused", 9,  2,  2,  2, "it+1",              1,        [513, 1, 0, 1, 1]],
  ["ENOMEM, held",           9,  1,  1,  1, "it back",           "ENOMEM", [1, 512, 0, 1, 0]],
  ["ENOMEM, held, longterm", 9, 10, 10, 10, "it",                1,        [2, 512, 0, 1, 0]],
  ["ENOMEM, numa",           9,  1,  1,  1, "it back",           "ENOMEM", [1, 512, 0, 1, 0]],
];

/** A call with three folios of a file whose owner answers as it is told. */
class Three {
  readonly call: Call;
  readonly front: Folio;
  readonly it: Folio;
  readonly back: Folio;
  private readonly answers: Exclude<MigrateOutcome, "moved">[] = [];
  private forever: MigrateOutcome = "moved";

  constructor(release: Release, answer: Answer, order: number) {
    const three = this;
    this.call = new Call(order === 9 ? 4096 : 64, release, {
      *migrateFolio(mem, mapping, dst, src, mode): Blocking<MigrateOutcome> {
        const says = src === three.it ? (three.answers.shift() ?? three.forever) : "moved";
        if (says !== "moved") return says;
        if (answer === "ENOMEM, a page refused" && src === three.it + 1) return "EBUSY";
        return yield* filemapMigrateFolio(mem, mapping, dst, src, mode);
      },
    });
    this.front = this.call.isolate();
    this.it = this.call.isolate(order);
    this.back = this.call.isolate();
    this.prepare(answer);
  }

  private prepare(answer: Answer): void {
    if (answer === "freed") this.free();
    else if (answer === "EAGAIN nine times") this.answers.push(...Array(9).fill("EAGAIN"));
    else if (answer.startsWith("ENOMEM")) this.giveNone(answer);
    else this.forever = answer as MigrateOutcome;
  }

  private free(): void {
    const { vm, mapping } = this.call;
    folioTrylock(vm.mem, this.it);
    filemapRemoveFolio(vm.mem, mapping, this.it);
    folioUnlock(vm.mem, this.it);
  }

  private giveNone(answer: Answer): void {
    const { call, it } = this;
    const { mem } = call.vm;
    const isSingle = !folioTestLarge(mem, it);
    const give = call.give;
    if (answer.startsWith("ENOMEM, held")) folioGet(mem, it);
    const { front, back } = this;
    call.give = function* (src): Blocking<Folio | null> {
      if (folioTestLarge(mem, src) || (isSingle && src === it)) return null;
      const isPiece = src !== front && src !== back;
      if (isPiece && answer === "ENOMEM, no pages") return null;
      if (isPiece && answer === "ENOMEM, a page held" && src === it + 1) folioGet(mem, src);
      return yield* give(src);
    };
  }

  /** By name, in the order of the list. */
  get left(): string {
    const { front, it, back } = this;
    const names = new Map<number, string>([
      [front, "front"],
      [it, "it"],
      [back, "back"],
    ]);
    return this.call.left.map((folio) => names.get(folio) ?? `it+${folio - it}`).join(" ");
  }
}

function reasonOf(answer: Answer): MigrateReason {
  if (answer.endsWith("longterm")) return "longterm_pin";
  return answer.endsWith("numa") ? "numa_misplaced" : "compaction";
}

function isSplit(answer: Answer): boolean {
  return answer.startsWith("ENOMEM") && !/held, longterm|numa|ENOMEM, held$/.test(answer);
}

function check(release: Release, mode: MigrateMode, row: Row): void {
  const [answer, order, asks, asksAsync, asksSync, left, returned, numbers] = row;
  const three = new Three(release, answer, order);
  const splits = order > 0 && isSplit(answer) ? 1 : 0;
  const { notMoved, error } = three.call.tell(mode, reasonOf(answer), numbers, splits);
  assert.equal(error ?? notMoved, returned);
  assert.equal(three.left, left);
  const asks63 = mode === "async" ? asksAsync : asksSync;
  assert.equal(three.call.asks(three.it), release === "6.1" ? asks : asks63);
}

for (const row of ROWS) {
  const [answer, order] = row;
  for (const release of ["6.1", "6.3", "6.18"] as const) {
    test(`a folio of order ${order}: ${answer}, on ${release}`, () => {
      for (const mode of MODES) check(release, mode, row);
    });
  }
}
