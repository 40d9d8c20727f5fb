/**
 * A second thread of a process on another processor, and a guest with page tables of its own.
 *
 * Each processor remembers translations of its own, and so does a guest: what the process's first
 * thread takes away must be forgotten by all of them. The second thread reads at any time, and
 * knows what it must find unless the contents are being changed just then. It writes while they
 * are not: `layout` is its lock for that.
 */
import { assert } from "../src/base/assert.ts";
import { PAGE_WORDS } from "../src/memory/frames.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { RwSemaphore } from "../src/sched/rw-semaphore.ts";
import { WaitQueue } from "../src/sched/wait-queue.ts";
import { type FaultError, readUser, writeUser } from "../src/vm/fault.ts";
import { type Mm, VM } from "../src/vm/mm.ts";
import { SecondaryMmu } from "../src/vm/secondary-mmu.ts";
import type { ProcessContents } from "./process-contents.ts";
import type { World } from "./world.ts";

export class SecondThread {
  /** Held by the first thread while it changes what its memory holds other than by writing. */
  readonly layout: RwSemaphore = new RwSemaphore("what a process has where");
  private readonly world: World;
  private readonly mm: Mm;
  private readonly contents: ProcessContents;
  private readonly guest: SecondaryMmu;
  private readonly idle: WaitQueue = new WaitQueue("a thread that ends");
  private isBusy = false;
  private isEnding = false;

  constructor(world: World, mm: Mm, contents: ProcessContents) {
    this.world = world;
    this.mm = mm;
    this.contents = contents;
    this.guest = new SecondaryMmu(world.vm, mm);
    const cpu = world.random.below(world.cpus);
    world.scheduler.addWorker(`${mm.name}, second thread`, cpu, () => this.operate());
  }

  /** Has the thread do no more, before its process ends. */
  *end(): Blocking<void> {
    this.isEnding = true;
    while (this.isBusy) yield this.idle;
    this.guest.close();
  }

  /** As `end`, where no worker runs any more. */
  leave(): void {
    assert(!this.isBusy, "a thread was left in the middle of something:", this.mm.name);
    this.guest.close();
  }

  private *operate(): Blocking<"again" | "done"> {
    if (this.isEnding) return "done";
    this.isBusy = true;
    const { random } = this.world;
    if (random.chance(0.5)) yield* this.read();
    else yield* this.write(random.chance(0.5) ? "itself" : "guest");
    this.isBusy = false;
    this.idle.wakeAll();
    return this.isEnding ? "done" : "again";
  }

  private *read(): Blocking<void> {
    const vpn = this.pickPage();
    if (vpn === null) return;
    const word = this.world.random.below(PAGE_WORDS);
    const found = yield* readUser(this.world.vm, this.mm, vpn, word);
    // Both may have changed while the thread slept: what counts is what holds at the end.
    const vma = this.mm.vmaAt(vpn);
    if (this.layout.held) return;
    this.settle(typeof found === "number" ? "done" : found, ((vma?.flags ?? 0) & VM.read) !== 0);
    if (typeof found !== "number" || vma === null) return;
    const expected = this.contents.expected(vma, vpn, word) ?? found;
    assert(found === expected, `${this.mm.name} page ${vpn} word ${word}:`, found, expected);
  }

  private *write(by: "itself" | "guest"): Blocking<void> {
    yield* this.layout.readLock();
    const vpn = this.pickPage();
    if (vpn !== null) yield* this.writeTo(vpn, by);
    this.layout.readUnlock();
  }

  private *writeTo(vpn: number, by: "itself" | "guest"): Blocking<void> {
    const { vm, random } = this.world;
    const [word, value] = [random.below(PAGE_WORDS), random.next()];
    const done =
      by === "guest"
        ? yield* this.guest.write(vpn, word, value)
        : yield* writeUser(vm, this.mm, vpn, word, value);
    const vma = this.mm.vmaAt(vpn);
    this.settle(done, ((vma?.flags ?? 0) & VM.write) !== 0);
    if (done === "done" && vma !== null) this.contents.wrote(vma, vpn, word, value);
  }

  private settle(done: "done" | FaultError, isAllowed: boolean): void {
    this.world.outcomes.count("fault", done);
    // Told before the first thread took the permission away, which `isAllowed` does not know of; or
    // it is being taken away just now, and this processor has not been told yet.
    if (done === "SIGBUS" || this.mm.mmapLock.held) return;
    assert(isAllowed === (done !== "SIGSEGV"), `${this.mm.name}: a use of memory ended in`, done);
  }

  /** A page somewhere in what is mapped, or null. */
  private pickPage(): number | null {
    const { vmas } = this.mm;
    if (vmas.length === 0) return null;
    const { startVpn, endVpn } = this.world.pick(vmas);
    return startVpn + this.world.random.below(endVpn - startVpn);
  }
}
