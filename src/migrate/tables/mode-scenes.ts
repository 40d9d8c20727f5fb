/** One folio isolated for a move, and somebody in its way at one step: for the tests by mode. */
import { assert } from "../../base/assert.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioClearWriteback, folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import { GFP } from "../../memory/gfp.ts";
import { clearFlag, type Folio } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAddTail } from "../../memory/page-list.ts";
import type {
  AddressSpaceOperations,
  MigrateOutcome,
  WritepageOutcome,
} from "../../pagecache/address-space.ts";
import { BH } from "../../pagecache/buffers/buffer-head.ts";
import { attachBuffers } from "../../pagecache/buffers/small-buffers.ts";
import type { MovableOperations } from "../../pagecache/movable-operations.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { runToEnd } from "../../sched/run.ts";
import { folioIsolateHugetlb } from "../../vm/hugetlb/isolate.ts";
import { hugetlbShape, mapHuge, smallPool, touchHuge } from "../../vm/hugetlb/small-hugetlb.ts";
import { allocMigrationTarget } from "../alloc-migration-target.ts";
import { bufferMigrateFolio, bufferMigrateFolioNorefs } from "../buffer-callbacks.ts";
import { isolateMovablePage } from "../isolate-movable.ts";
import { SmallDriver } from "../small-driver.ts";
import type { ModeCell, Step } from "./mode-rows.ts";
import { Call, type Numbers } from "./small-call.ts";

/** In the first word of the folio. */
export const VALUE = 42;

/** An owner whose private state stays, and for which the file has no move. */
const KEEPS: AddressSpaceOperations = {
  *releaseFolio(): Steps<boolean> {
    yield "keeps-private";
    return false;
  },
};

export class ModeScene {
  readonly call: Call;
  readonly src: Folio;
  readonly pages: number;
  /** Names what the call sleeps on, where it does. */
  queue: RegExp = /^folio \d+$/;
  /** Ends what is in the way. */
  release: () => void = () => {};

  constructor({ release, step }: Pick<ModeCell, "release" | "step">) {
    const isPool = step.startsWith("pool");
    this.call = new Call(isPool ? hugetlbShape(1, 5) : 64, release, operationsFor(step));
    if (isPool) this.src = this.isolateHuge();
    else if (step.startsWith("driver")) this.src = this.isolateDriversPage(step);
    else this.src = this.isolateOfFile();
    this.pages = folioNrPages(this.call.vm.mem, this.src);
    this.prepare(step);
  }

  /** What is counted and told if the folio moves, and if it does not. */
  numbers(ends: "moves" | "stays"): Numbers {
    return ends === "moves" ? [this.pages, 0, 0, 0, 0] : [0, this.pages, 0, 0, 0];
  }

  private isolateOfFile(): Folio {
    const src = this.call.isolate();
    this.call.vm.mem.frames.writeWord(src, 0, VALUE);
    return src;
  }

  private isolateHuge(): Folio {
    const { vm, list } = this.call;
    smallPool(vm, [3]);
    const src = touchHuge(vm, mapHuge(vm, vm.createMm("a process"), 1), 0, VALUE);
    assert(folioIsolateHugetlb(vm, src, list) === "isolated", "a huge page in use:", src);
    this.call.give = (folio) => allocMigrationTarget(vm, folio, { node: 0, gfp: GFP.thisNode });
    return src;
  }

  private isolateDriversPage(step: Step): Folio {
    const { vm, list } = this.call;
    const driver = new SmallDriver(vm.cache, movesOf(step));
    const page = driver.pageOf(driver.add(VALUE));
    const isolated = runToEnd(isolateMovablePage(vm.cache, page, 0));
    assert(isolated === "isolated", "a driver that is willing:", isolated);
    listAddTail(vm.mem, list, page);
    return page;
  }

  private prepare(step: Step): void {
    const { call, src } = this;
    const { mem } = call.vm;
    if (step.includes("lock of src")) {
      mem.memalloc = step.endsWith("memalloc");
      if (step.endsWith("unread")) clearFlag(mem, src, PG.uptodate);
      this.lockSrc();
    } else if (step.endsWith("lock of dst")) this.lockDst();
    else if (step === "writeback") this.startWriteback();
    else if (step === "reference") folioGet(mem, src);
    else if (step.endsWith("buffer")) this.useBuffer(step);
    else if (step === "fallback: private kept") this.attachPrivate();
    else if (step.startsWith("fallback: dirty")) mem.flags[src] |= PG.dirty;
  }

  private lockSrc(): void {
    const { mem } = this.call.vm;
    assert(folioTrylock(mem, this.src), "nobody has the folio yet:", this.src);
    this.release = () => folioUnlock(mem, this.src);
  }

  /** Somebody has each new folio locked until it is given back. */
  private lockDst(): void {
    const { call } = this;
    const { mem } = call.vm;
    const { give } = call;
    call.give = function* (src): Blocking<Folio | null> {
      const dst = yield* give(src);
      if (dst !== null) assert(folioTrylock(mem, dst), "a new folio is not locked:", dst);
      return dst;
    };
    const putNew = call.target.putNew.bind(call.target);
    call.target.putNew = (dst) => {
      folioUnlock(mem, dst);
      putNew(dst);
    };
  }

  private startWriteback(): void {
    const { mem } = this.call.vm;
    mem.flags[this.src] |= PG.writeback;
    this.release = () => folioClearWriteback(mem, this.src);
  }

  private attachPrivate(): void {
    const { mem } = this.call.vm;
    mem.flags[this.src] |= PG.private;
    mem.private[this.src] = 99;
    folioGet(mem, this.src);
  }

  private useBuffer(step: Step): void {
    const { vm, mapping } = this.call;
    const [, unread, bh] = attachBuffers(vm.mem, mapping, this.src);
    if (step === "count on a device's buffer") {
      bh.get();
      return;
    }
    // Which is nothing to wait for: nobody reads it.
    unread.state &= ~BH.uptodate;
    if (step === "lock of an unread buffer") bh.state &= ~BH.uptodate;
    assert(bh.trylock(), "a new buffer is not locked:", bh.block);
    this.queue = /^buffer$/;
    this.release = () => bh.unlock();
  }
}

/** Of the file whose folio is to be moved. */
function operationsFor(step: Step): AddressSpaceOperations | undefined {
  switch (step) {
    case "lock of a file's buffer":
    case "lock of an unread buffer":
      return { migrateFolio: bufferMigrateFolio };
    case "lock of a device's buffer":
    case "count on a device's buffer":
      return { migrateFolio: bufferMigrateFolioNorefs };
    case "fallback: dirty":
      return writesAs("started");
    case "fallback: dirty, fails":
      return writesAs("EIO");
    case "fallback: dirty, no writer":
      return {};
    case "fallback: private kept":
      return KEEPS;
    default:
      return undefined;
  }
}

/** Of the driver whose page is to be moved; it copies by itself, and says so where it must not. */
function movesOf(step: Step): Partial<MovableOperations> {
  if (step === "driver: its own copy") return {};
  return {
    *migratePage(): Steps<MigrateOutcome> {
      yield "driver-answers";
      return step === "driver: busy" ? "EAGAIN" : "EBUSY";
    },
  };
}

/** A write that is over at once, one way or the other. */
function writesAs(outcome: WritepageOutcome): AddressSpaceOperations {
  return {
    *writepage(mem, _mapping, folio): Steps<WritepageOutcome> {
      yield "writes-at-once";
      folioUnlock(mem, folio);
      return outcome;
    },
  };
}
