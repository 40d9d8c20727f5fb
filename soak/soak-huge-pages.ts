/**
 * A process with huge pages of a pool, by way of a file, which somebody else has moved while the
 * file's mappings change.
 */
import { assert } from "../src/base/assert.ts";
import { MPOL_MF, movePages } from "../src/callers/move-pages/move-pages.ts";
import { userInput, userOutput } from "../src/callers/move-pages/user-array.ts";
import { PAGE_WORDS } from "../src/memory/frames.ts";
import { hugetlbfsMigrateFolio } from "../src/migrate/hugetlb.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { readUser, writeUser } from "../src/vm/fault.ts";
import { createHugetlbFile, type HugetlbFile } from "../src/vm/hugetlb/file.ts";
import { HUGETLB_PAGES } from "../src/vm/hugetlb/hstate.ts";
import { mapHugeFile, smallPool } from "../src/vm/hugetlb/small-hugetlb.ts";
import type { Vma } from "../src/vm/mm.ts";
import { credentialsOf, Process } from "../src/vm/process.ts";
import { Shadow } from "./shadow.ts";
import type { Owner, World } from "./world.ts";

/** Huge pages of the file. */
const COUNT = 2;

export class SoakHugePages implements Owner {
  readonly name: string = "huge pages of a pool";
  private readonly world: World;
  private readonly file: HugetlbFile;
  private readonly vma: Vma;
  private readonly shadow: Shadow = new Shadow();

  constructor(world: World) {
    this.world = world;
    const { vm, mem, scheduler } = world;
    const pool = smallPool(
      vm,
      mem.nodes.map(() => COUNT),
    );
    const ops = { migrateFolio: hugetlbfsMigrateFolio };
    this.file = createHugetlbFile(vm, pool, "a hugetlb file", ops);
    this.vma = mapHugeFile(vm, vm.createMm("a user of huge pages"), this.file, COUNT);
    world.owners.add(this);
    scheduler.addWorker("a user of huge pages", 0, () => this.use());
    scheduler.addWorker("mover of huge pages", 0, () => this.move());
    scheduler.addWorker("mapper of the hugetlb file", 0, () => this.changeMappings());
  }

  private *use(): Blocking<"again"> {
    const { vm, random } = this.world;
    const vpn = this.vma.startVpn + random.below(COUNT * HUGETLB_PAGES);
    const word = random.below(PAGE_WORDS);
    const found = yield* readUser(vm, this.vma.mm, vpn, word);
    const expected = this.shadow.read(vpn, word);
    assert(found === expected, `huge page ${vpn} word ${word}:`, found, expected);
    const value = random.next();
    const done = yield* writeUser(vm, this.vma.mm, vpn, word, value);
    assert(done === "done", "what a pool has promised cannot be used:", done);
    this.shadow.write(vpn, word, value);
    return "again";
  }

  private *move(): Blocking<"again"> {
    const { vm, machine, mem, random } = this.world;
    for (let at = random.below(40); at > 0; at--) yield "mover-waits";
    const pages = Array.from({ length: COUNT }, (_, at) => this.vma.startVpn + at * HUGETLB_PAGES);
    const node = random.below(mem.nodes.length);
    yield* movePages(vm, machine.processes, {
      caller: new Process(1, "move_pages", this.vma.mm, credentialsOf(0)),
      pid: 0,
      nrPages: pages.length,
      pages: userInput(pages),
      nodes: userInput(pages.map(() => node)),
      flags: MPOL_MF.moveAll,
      status: userOutput(new Int32Array(pages.length)),
    });
    return "again";
  }

  /** As mmap, munmap and truncate of the file do. */
  private *changeMappings(): Blocking<"again"> {
    const { random } = this.world;
    for (let at = random.below(60); at > 0; at--) yield "mapper-waits";
    yield* this.file.iMmapLock.lock();
    for (let at = random.below(40); at > 0; at--) yield "mapper-holds";
    this.file.iMmapLock.unlock();
    return "again";
  }

  verify(): void {
    const { mem } = this.world;
    const { startVpn, pgoff, endVpn } = this.vma;
    for (let vpn = startVpn; vpn < endVpn; vpn++) {
      const folio = this.file.mapping.folios.load(pgoff + (vpn - startVpn));
      if (folio === null) {
        assert(!this.shadow.has(vpn), "nothing is left of huge page", vpn);
        continue;
      }
      const frame = mem.pfn(folio + ((vpn - startVpn) % HUGETLB_PAGES));
      const word = this.shadow.differsAt(vpn, mem.frames, frame);
      assert(word === -1, `huge page ${vpn} differs at word`, word);
    }
  }

  leave(): void {}
}
