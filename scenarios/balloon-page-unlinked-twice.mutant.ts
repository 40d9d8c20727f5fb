import type { Mutant } from "../src/lab/index.ts";

const mutants: readonly Mutant[] = [
  {
    what: "the walk of the list is over before pages_lock is taken",
    file: "shared/balloon.ts",
    text: `    yield* this.pagesLock.lock();
    const page = yield* this.findUnlocked();`,
    replacement: `    const page = yield* this.findUnlocked();
    yield* this.pagesLock.lock();`,
    says: /on no list|left the list|not a movable page/,
  },
  {
    what: "an isolated page leaves the list before pages_lock is taken",
    file: "shared/balloon.ts",
    text: `    yield* this.pagesLock.lock();
    listDel(this.machine.mem, page);
    this.isolatedPages++;`,
    replacement: `    listDel(this.machine.mem, page);
    yield* this.pagesLock.lock();
    this.isolatedPages++;`,
    says: /on no list|left the list/,
  },
];

export default mutants;
