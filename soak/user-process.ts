/**
 * A process that uses its memory in every way there is, and knows what it must find there.
 *
 * Its threads alone write its private memory, so each word has one right value at any time,
 * whatever moves the pages. Files that it maps shared are everybody's: their shadow is the file's.
 * Devices that it lets write do so into the frames that were pinned; what they wrote is the
 * process's too, until it gives the page up.
 */
import { assert } from "../src/base/assert.ts";
import { folioUnpin } from "../src/memory/folio-ref.ts";
import { PAGE_WORDS } from "../src/memory/frames.ts";
import type { Folio, Pfn } from "../src/memory/memmap.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { runToEnd } from "../src/sched/run.ts";
import { type FaultError, readUser, writeUser } from "../src/vm/fault.ts";
import { forkMm } from "../src/vm/fork.ts";
import { pinUserPage } from "../src/vm/gup.ts";
import { madviseMergeable, madviseUnmergeable } from "../src/vm/ksm/madvise.ts";
import { madvise } from "../src/vm/madvise/madvise.ts";
import { type Mm, VM, type Vma } from "../src/vm/mm.ts";
import { MREMAP, mremap } from "../src/vm/mremap.ts";
import { entryPfn } from "../src/vm/page-tables.ts";
import { protectVma } from "../src/vm/protect.ts";
import { exitMm, unmapRange } from "../src/vm/zap.ts";
import { ProcessContents } from "./process-contents.ts";
import { SecondThread } from "./second-thread.ts";
import type { Owner, World } from "./world.ts";

/** Pages of one mapping, at most. */
const REGION_PAGES = 96;
/** Pages of a mapping that asks for huge ones. */
const HUGE_REGION_PAGES = 1024;
/** Mappings of one process. */
const REGIONS = 10;
const PINS_MAX = 6;
/** Pages that one operation writes to, at most. */
const WRITTEN_PAGES = 32;
/** What pages that may be merged are filled with. */
const MERGEABLE_VALUES = 3;

interface Pin {
  readonly folio: Folio;
  readonly page: Pfn;
  /** Where the process has the page; null once it gave the page up. */
  vpn: number | null;
}

type Act = () => Blocking<void> | void;

export class UserProcess implements Owner {
  readonly name: string;
  readonly mm: Mm;
  private readonly world: World;
  private readonly contents: ProcessContents;
  private readonly thread: SecondThread | null;
  private readonly pins: Pin[] = [];
  /** Set when the process has ended. */
  private ended = false;
  private readonly acts: readonly (readonly [number, Act])[] = [
    [30, () => this.write()],
    [20, () => this.read()],
    [6, () => this.map()],
    [3, () => this.mapFile()],
    [3, () => this.giveUpContents()],
    [3, () => this.advise()],
    [2, () => this.unmap()],
    [2, () => this.remap()],
    [2, () => this.protect()],
    [2, () => this.merge()],
    [4, () => this.pin()],
    [6, () => this.deviceWrites()],
    [4, () => this.unpin()],
    [3, () => this.fork()],
    [2, () => this.exit()],
  ];

  constructor(world: World, mm: Mm, contents: ProcessContents = new ProcessContents(world, mm)) {
    this.world = world;
    this.name = mm.name;
    this.mm = mm;
    this.contents = contents;
    world.owners.add(this);
    world.scheduler.addWorker(mm.name, world.random.below(world.cpus), () => this.operate());
    this.thread = world.vm.tlbs === null ? null : new SecondThread(world, mm, contents);
  }

  /** One thing, by weight. */
  private *operate(): Blocking<"again" | "done"> {
    let at = this.world.random.below(this.acts.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of this.acts) {
      at -= weight;
      if (at >= 0) continue;
      const call = act();
      if (call !== undefined) yield* call;
      break;
    }
    return this.ended ? "done" : "again";
  }

  /** A word in each of a few pages in a row. */
  private *write(): Blocking<void> {
    const place = this.place();
    if (place === null) {
      this.map();
      return;
    }
    const end = place.vpn + 1 + this.world.random.below(WRITTEN_PAGES);
    for (let vpn = place.vpn; vpn < end; vpn++) {
      const vma = this.mm.vmaAt(vpn);
      if (vma === null) return;
      const mayWrite = (vma.flags & VM.write) !== 0;
      const [word, value] = [this.world.random.below(PAGE_WORDS), this.world.random.next()];
      const done = yield* writeUser(this.world.vm, this.mm, vpn, word, value);
      if (done === "done") this.contents.wrote(vma, vpn, word, value);
      yield* this.settle(done, mayWrite);
      if (done !== "done") return;
    }
  }

  private *read(): Blocking<void> {
    const place = this.place();
    if (place === null) return;
    const { vma, vpn } = place;
    const word = this.world.random.below(PAGE_WORDS);
    const found = yield* readUser(this.world.vm, this.mm, vpn, word);
    if (typeof found === "number") {
      const expected = this.contents.expected(vma, vpn, word) ?? found;
      assert(found === expected, `${this.name} page ${vpn} word ${word}:`, found, expected);
    }
    const mayRead = (vma.flags & VM.read) !== 0;
    yield* this.settle(typeof found === "number" ? "done" : found, mayRead);
  }

  /** A use that is allowed ends well or for want of memory; one that is not, by SIGSEGV. */
  private *settle(done: "done" | FaultError, isAllowed: boolean): Blocking<void> {
    this.world.outcomes.count("fault", done);
    assert(isAllowed === (done !== "SIGSEGV"), `${this.name}: a use of memory ended in`, done);
    if (done === "SIGBUS") yield* this.giveUpContents();
  }

  private map(): void {
    const { vm, random } = this.world;
    if (this.mm.vmas.length >= REGIONS) return;
    const isHuge = random.chance(0.15);
    const pages = isHuge ? HUGE_REGION_PAGES : 1 + random.below(REGION_PAGES);
    const flags =
      VM.read | VM.write | (random.chance(0.2) ? VM.locked : 0) | (isHuge ? VM.hugepage : 0);
    vm.mapAnonymous(this.mm, this.mm.freeRange(pages), flags);
  }

  private mapFile(): void {
    const { vm, random, files } = this.world;
    if (this.mm.vmas.length >= REGIONS) return;
    const { mapping, pages, isWritable } = this.world.pick(files);
    const pgoff = random.below(pages);
    const range = { ...this.mm.freeRange(1 + random.below(pages - pgoff)), pgoff };
    if (isWritable) vm.mapFile(this.mm, range, mapping);
    else vm.mapFilePrivate(this.mm, range, mapping);
  }

  /** The mapping stays. */
  private *giveUpContents(): Blocking<void> {
    const place = this.place();
    if (place === null) return;
    const { vma, vpn } = place;
    const end = Math.min(vma.endVpn, vpn + 1 + this.world.random.below(24));
    if (this.thread !== null) yield* this.thread.layout.lock();
    const done = yield* madvise(this.world.vm, this.mm, vpn, end, "MADV_DONTNEED");
    // Locked memory does not take the advice.
    if (done === "done") this.forget(vpn, end);
    this.thread?.layout.unlock();
  }

  private *advise(): Blocking<void> {
    const place = this.place();
    if (place === null) return;
    const { vma, vpn } = place;
    const end = Math.min(vma.endVpn, vpn + 1 + this.world.random.below(64));
    const advice = this.world.pick(["MADV_COLD", "MADV_PAGEOUT"] as const);
    yield* madvise(this.world.vm, this.mm, vpn, end, advice);
  }

  private *unmap(): Blocking<void> {
    const place = this.place();
    if (place === null) return;
    const end = place.vpn + 1 + this.world.random.below(REGION_PAGES);
    if (this.thread !== null) yield* this.thread.layout.lock();
    yield* this.mm.mmapLock.lock();
    yield* unmapRange(this.world.vm, this.mm, place.vpn, end);
    this.mm.mmapLock.unlock();
    this.forget(place.vpn, end);
    this.thread?.layout.unlock();
  }

  /** A mapping goes elsewhere, with its contents. */
  private *remap(): Blocking<void> {
    const place = this.place();
    if (place === null) return;
    const { startVpn, endVpn } = place.vma;
    const pages = endVpn - startVpn;
    const { startVpn: newVpn } = this.mm.freeRange(pages);
    const request = { vpn: startVpn, oldPages: pages, newPages: pages, newVpn };
    const flags = MREMAP.mayMove | MREMAP.fixed;
    if (this.thread !== null) yield* this.thread.layout.lock();
    const result = yield* mremap(this.world.vm, this.mm, { ...request, flags });
    this.world.outcomes.count("mremap", typeof result === "number" ? "done" : result);
    if (typeof result === "number") this.moved(startVpn, endVpn, result - startVpn);
    this.thread?.layout.unlock();
  }

  private moved(start: number, end: number, by: number): void {
    this.contents.move(start, end, by);
    for (const pin of this.pins) {
      if (pin.vpn !== null && pin.vpn >= start && pin.vpn < end) pin.vpn += by;
    }
  }

  private *protect(): Blocking<void> {
    const place = this.place();
    if (place === null) return;
    const allowed = this.world.pick([0, VM.read, VM.read | VM.write, VM.read | VM.write]);
    yield* this.mm.mmapLock.lock();
    yield* protectVma(this.world.vm, place.vma, allowed);
    this.mm.mmapLock.unlock();
  }

  /** Pages that are equal, in all processes, may become one. */
  private *merge(): Blocking<void> {
    const place = this.place();
    if (place === null || place.vma.mapping !== null) return;
    const { vm, random } = this.world;
    const { startVpn, endVpn } = place.vma;
    if (random.chance(0.3)) {
      yield* madviseUnmergeable(vm, this.mm, startVpn, endVpn);
      return;
    }
    madviseMergeable(vm, this.mm, startVpn, endVpn);
    for (let vpn = place.vpn; vpn < Math.min(endVpn, place.vpn + 8); vpn++) {
      if (this.contents.isOwn(vpn)) continue;
      const value = 1 + random.below(MERGEABLE_VALUES);
      const done = yield* writeUser(vm, this.mm, vpn, 0, value);
      if (done === "done") this.contents.wrote(place.vma, vpn, 0, value);
    }
  }

  private *pin(): Blocking<void> {
    const place = this.place();
    if (place === null || this.pins.length >= PINS_MAX || place.vma.mapping !== null) return;
    const { vpn } = place;
    const { vm, mem, outcomes, machine } = this.world;
    const folio = yield* pinUserPage(vm, this.mm, vpn);
    outcomes.count("pin", typeof folio === "number" ? "done" : "fault");
    if (typeof folio !== "number") return;
    machine.recordPin(folio);
    const entry = this.mm.directory.lookUp(vpn);
    this.pins.push({ folio, page: mem.pfn(entryPfn(vm.tables, entry, vpn)), vpn });
  }

  /** The device that a page was pinned for writes to it. */
  private deviceWrites(): void {
    if (this.pins.length === 0) return;
    const { page, vpn } = this.world.pick(this.pins);
    const [word, value] = [this.world.random.below(PAGE_WORDS), this.world.random.next()];
    this.world.mem.frames.writeWord(page, word, value);
    if (vpn !== null) this.contents.wroteByDevice(vpn, word, value);
  }

  private unpin(): void {
    if (this.pins.length === 0) return;
    const [{ folio }] = this.pins.splice(this.world.random.below(this.pins.length), 1);
    this.world.forgetPin(folio);
    folioUnpin(this.world.mem, folio);
  }

  private fork(): void {
    const { world } = this;
    if (processesOf(world).length >= world.processes) return;
    const child = forkMm(world.vm, this.mm, `process ${world.vm.mms.length}`);
    world.outcomes.count("fork", child === null ? "no memory" : "done");
    if (child !== null) new UserProcess(world, child, this.contents.copyFor(child));
  }

  private *exit(): Blocking<void> {
    if (processesOf(this.world).length === 1) return;
    this.world.owners.delete(this);
    this.ended = true;
    if (this.thread !== null) yield* this.thread.end();
    this.unpinAll();
    yield* exitMm(this.world.vm, this.mm);
  }

  /** A page somewhere in what is mapped. */
  private place(): { readonly vma: Vma; readonly vpn: number } | null {
    const { vmas } = this.mm;
    if (vmas.length === 0) return null;
    const vma = this.world.pick(vmas);
    const pages = vma.endVpn - vma.startVpn;
    return { vma, vpn: vma.startVpn + this.world.random.below(pages) };
  }

  private forget(start: number, end: number): void {
    this.contents.forget(start, end);
    for (const pin of this.pins) {
      if (pin.vpn !== null && pin.vpn >= start && pin.vpn < end) pin.vpn = null;
    }
  }

  verify(): void {
    this.contents.verify();
  }

  leave(): void {
    this.thread?.leave();
    this.unpinAll();
    runToEnd(exitMm(this.world.vm, this.mm));
    this.world.owners.delete(this);
    this.ended = true;
  }

  private unpinAll(): void {
    while (this.pins.length > 0) this.unpin();
  }
}

export function processesOf(world: World): UserProcess[] {
  return [...world.owners].filter((owner) => owner instanceof UserProcess);
}
