/**
 * A driver's pages off the LRU, used by handle, made, freed, and now and then not to be had.
 */
import { assert } from "../src/base/assert.ts";
import { folioAlloc, movableRequest } from "../src/memory/page-alloc.ts";
import { SmallDriver } from "../src/migrate/small-driver.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import type { Owner, World } from "./world.ts";

const PAGES_MAX = 40;

export class SoakDriver implements Owner {
  readonly name: string = "a driver";
  private readonly world: World;
  private readonly driver: SmallDriver;
  /** By handle: what its page must begin with. */
  private readonly values: Map<number, number> = new Map();

  constructor(world: World) {
    this.world = world;
    this.driver = new SmallDriver(world.vm.cache);
    world.owners.add(this);
    world.scheduler.addWorker("a driver's user", world.cpus - 1, () => this.use());
  }

  private *use(): Blocking<"again"> {
    const { random } = this.world;
    for (let at = random.below(12); at > 0; at--) yield "driver-user-waits";
    const handles = [...this.values.keys()];
    this.driver.isWilling = random.chance(0.8);
    if (random.chance(0.2)) this.driver.answers.push(random.chance(0.5) ? "EAGAIN" : "EBUSY");
    if (handles.length === 0 || (handles.length < PAGES_MAX && random.chance(0.3))) {
      this.addPage();
      return "again";
    }
    const handle = this.world.pick(handles);
    if (random.chance(0.2)) {
      this.values.delete(handle);
      yield* this.driver.free(handle);
      return "again";
    }
    const value = random.next();
    yield* this.driver.write(handle, value);
    this.values.set(handle, value);
    return "again";
  }

  private addPage(): void {
    const { mem, random } = this.world;
    const page = folioAlloc(mem, movableRequest(0));
    if (page === null) return;
    const value = random.next();
    mem.frames.writeWord(page, 0, value);
    this.values.set(this.driver.adopt(page), value);
  }

  verify(): void {
    for (const [handle, value] of this.values) {
      const found = this.driver.read(handle);
      assert(found === value, `the driver's page ${handle} holds`, found, value);
    }
  }

  leave(): void {
    this.driver.answers.length = 0;
    this.driver.close();
  }
}
