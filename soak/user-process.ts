/**
 * A process that uses its memory in every way there is, and knows what it must find there.
 *
 * It alone writes its private memory, so each word has one right value at any time, whatever moves
 * the pages. Devices that it lets write do so into the frames that were pinned; what they wrote is
 * the process's too, until it gives the page up.
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
import { type Mm, VM, type Vma } from "../src/vm/mm.ts";
import { NO_ENTRY } from "../src/vm/page-tables.ts";
import { protectVma } from "../src/vm/protect.ts";
import { PTE } from "../src/vm/pte.ts";
import { exitMm, unmapRange, zapRange } from "../src/vm/zap.ts";
import { Shadow } from "./shadow.ts";
import type { Owner, World } from "./world.ts";

/** Pages of one mapping, at most. */
const REGION_PAGES = 96;
/** Pages of one process, about. */
const PROCESS_PAGES = 600;
const PINS_MAX = 6;
/** Pages that one operation writes to, at most. */
const WRITTEN_PAGES = 32;

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
  private readonly shadow: Shadow;
  private readonly pins: Pin[] = [];
  /** Set when the process has ended. */
  private ended = false;
  private readonly acts: readonly (readonly [number, Act])[] = [
    [30, () => this.write()],
    [20, () => this.read()],
    [4, () => this.map()],
    [4, () => this.zap()],
    [2, () => this.unmap()],
    [2, () => this.protect()],
    [4, () => this.pin()],
    [6, () => this.deviceWrites()],
    [4, () => this.unpin()],
    [1, () => this.fork()],
    [1, () => this.exit()],
  ];

  constructor(world: World, mm: Mm, shadow: Shadow = new Shadow()) {
    this.world = world;
    this.name = mm.name;
    this.mm = mm;
    this.shadow = shadow;
    world.owners.add(this);
    world.scheduler.addWorker(mm.name, world.random.below(world.cpus), () => this.operate());
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
    const { vma, vpn: first } = place;
    const mayWrite = (vma.flags & VM.write) !== 0;
    const end = Math.min(vma.endVpn, first + 1 + this.world.random.below(WRITTEN_PAGES));
    for (let vpn = first; vpn < end; vpn++) {
      const [word, value] = [this.world.random.below(PAGE_WORDS), this.world.random.next()];
      const done = yield* writeUser(this.world.vm, this.mm, vpn, word, value);
      if (done === "done") this.shadow.write(vpn, word, value);
      this.settle(done, mayWrite);
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
      const expected = this.shadow.read(vpn, word);
      assert(found === expected, `${this.name} page ${vpn} word ${word}:`, found, expected);
    }
    this.settle(typeof found === "number" ? "done" : found, (vma.flags & VM.read) !== 0);
  }

  /** A use that is allowed ends well or for want of memory; one that is not, by SIGSEGV. */
  private settle(done: "done" | FaultError, isAllowed: boolean): void {
    this.world.outcomes.count("fault", done);
    assert(isAllowed === (done !== "SIGSEGV"), `${this.name}: a use of memory ended in`, done);
    if (done === "SIGBUS") this.zap();
  }

  private map(): void {
    const { vm, random } = this.world;
    if (this.mm.rssPages > PROCESS_PAGES || this.mm.vmas.length > 12) {
      this.unmap();
      return;
    }
    const flags = VM.read | VM.write | (random.chance(0.2) ? VM.locked : 0);
    vm.mapAnonymous(this.mm, this.mm.freeRange(1 + random.below(REGION_PAGES)), flags);
  }

  /** Gives the contents of a stretch up; the mapping stays. */
  private zap(): void {
    const place = this.place();
    if (place === null) return;
    const { vma, vpn } = place;
    const end = Math.min(vma.endVpn, vpn + 1 + this.world.random.below(24));
    runToEnd(zapRange(this.world.vm, vma, vpn, end));
    this.forget(vpn, end);
  }

  private unmap(): void {
    const place = this.place();
    if (place === null) return;
    const end = place.vpn + 1 + this.world.random.below(REGION_PAGES);
    runToEnd(unmapRange(this.world.vm, this.mm, place.vpn, end));
    this.forget(place.vpn, end);
  }

  private protect(): void {
    const place = this.place();
    if (place === null) return;
    const allowed = this.world.pick([0, VM.read, VM.read | VM.write, VM.read | VM.write]);
    protectVma(this.world.vm, place.vma, allowed);
  }

  private *pin(): Blocking<void> {
    const place = this.place();
    if (place === null || this.pins.length >= PINS_MAX) return;
    const { vpn } = place;
    const { vm, mem, outcomes } = this.world;
    const folio = yield* pinUserPage(vm, this.mm, vpn);
    outcomes.count("pin", typeof folio === "number" ? "done" : "fault");
    if (typeof folio !== "number") return;
    this.world.hold(folio, this.world.pinReferences(folio));
    const entry = this.mm.directory.find(vpn);
    this.pins.push({ folio, page: mem.pfn(vm.tables.pfn(entry)), vpn });
  }

  /** The device that a page was pinned for writes to it. */
  private deviceWrites(): void {
    if (this.pins.length === 0) return;
    const { page, vpn } = this.world.pick(this.pins);
    const [word, value] = [this.world.random.below(PAGE_WORDS), this.world.random.next()];
    this.world.mem.frames.writeWord(page, word, value);
    if (vpn !== null) this.shadow.write(vpn, word, value);
  }

  private unpin(): void {
    if (this.pins.length === 0) return;
    const [{ folio }] = this.pins.splice(this.world.random.below(this.pins.length), 1);
    this.world.hold(folio, -this.world.pinReferences(folio));
    folioUnpin(this.world.mem, folio);
  }

  private fork(): void {
    const { world } = this;
    if (processesOf(world).length >= world.processes) return;
    const child = forkMm(world.vm, this.mm, `process ${world.vm.mms.length}`);
    world.outcomes.count("fork", child === null ? "no memory" : "done");
    if (child !== null) new UserProcess(world, child, this.shadow.copy());
  }

  private exit(): void {
    if (processesOf(this.world).length > 1) this.leave();
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
    this.shadow.forget(start, end);
    for (const pin of this.pins) {
      if (pin.vpn !== null && pin.vpn >= start && pin.vpn < end) pin.vpn = null;
    }
  }

  /** Every byte of every page, in the frame that the process reaches. */
  verify(): void {
    const { vm, mem } = this.world;
    for (const vma of this.mm.vmas) {
      for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
        const entry = this.mm.directory.find(vpn);
        const bits = entry === NO_ENTRY ? 0 : vm.tables.bits(entry);
        if ((bits & PTE.present) === 0) {
          assert(!this.shadow.has(vpn), `${this.name}: nothing is left of page`, vpn, bits);
          continue;
        }
        const word = this.shadow.differsAt(vpn, mem.frames, mem.pfn(vm.tables.pfn(entry)));
        assert(word === -1, `${this.name}: page ${vpn} differs at word`, word);
      }
    }
  }

  leave(): void {
    while (this.pins.length > 0) this.unpin();
    runToEnd(exitMm(this.world.vm, this.mm));
    this.world.owners.delete(this);
    this.ended = true;
  }
}

export function processesOf(world: World): UserProcess[] {
  return [...world.owners].filter((owner) => owner instanceof UserProcess);
}
